namespace Penstock.Bench.Comparing;

/// <summary>Files of a volume in process, beside fio on the raw image and beside the kernel's ext4 on a loop device over the same image.</summary>
internal static class InProcessRows
{
    private const string RandomRead = "direct 4 KiB random read, depth 32";
    private const string RandomWrite = "direct 4 KiB random overwrite, depth 32";

    public static IReadOnlyList<Contest> All { get; } =
    [
        Raw("randread", RandomRead, 1.0, "--rw randread --bs 4k --depth 32 --direct", "--rw=randread --bs=4k --iodepth=32"),
        Kernel("randread", RandomRead, 1.25, "--rw randread --bs 4k --depth 32 --direct", "--rw=randread --bs=4k --iodepth=32"),
        Raw("randwrite", RandomWrite, 0.97, "--rw randwrite --bs 4k --depth 32 --direct", "--rw=randwrite --bs=4k --iodepth=32"),
        Kernel("randwrite", RandomWrite, 1.1, "--rw randwrite --bs 4k --depth 32 --direct", "--rw=randwrite --bs=4k --iodepth=32"),
        Registered("randread", RandomRead, 1.0, "--rw randread --bs 4k --depth 32 --direct", "--rw=randread --bs=4k --iodepth=32"),
        Registered("randwrite", RandomWrite, 0.97, "--rw randwrite --bs 4k --depth 32 --direct", "--rw=randwrite --bs=4k --iodepth=32"),
        Raw("one-read-blocking", "direct 4 KiB random read, depth 1, synchronous", 0.97, "--rw randread --bs 4k --direct --blocking", "--rw=randread --bs=4k --iodepth=1"),
        Raw("one-read-awaited", "direct 4 KiB random read, depth 1, awaited", 0.9, "--rw randread --bs 4k --direct", "--rw=randread --bs=4k --iodepth=1"),
        Raw("seqread", "direct 1 MiB sequential read, depth 8", 0.98, "--rw read --bs 1M --depth 8 --direct", "--rw=read --bs=1M --iodepth=8"),
        Raw("seqwrite", "direct 1 MiB sequential write, depth 8", 0.98, "--rw write --bs 1M --depth 8 --direct", "--rw=write --bs=1M --iodepth=8"),
        ColdRead(),
        Append("append-dsync", "direct 4 KiB appends, O_DSYNC", "--direct --dsync", "--direct=1 --sync=dsync"),
        Append("append-fsync", "buffered 4 KiB appends, fsync after each", "--fsync", "--fsync=1"),
        Kernel("two-writers", "two writers, disjoint ranges, direct 4 KiB, depth 16 each", 1.2, "--rw write --bs 4k --depth 16 --jobs 2 --direct",
            "--rw=write --bs=4k --iodepth=16 --numjobs=2 --group_reporting --size=256M --offset_increment=256M"),
        Kernel("reader-writer", "readers and writers at once, direct 4 KiB at random, depth 32", 1.2, "--rw randrw --bs 4k --depth 32 --direct",
            "--rw=randrw --bs=4k --iodepth=32"),
        Cached("cached-read-blocking", "cached 4 KiB random read, synchronous", 3, "--rw randread --bs 4k --blocking --preread --size 256M"),
        Cached("cached-read-awaited", "cached 4 KiB random read, awaited", 4, "--rw randread --bs 4k --preread --size 256M"),
        Cached("cached-write", "cached 4 KiB random write, awaited", 2, "--rw randwrite --bs 4k --preread --size 64M"),
        Contest.Of(
            new Row("cached-read-copy", "cached 4 KiB random read, synchronous", "a bare memory copy, timed as often", 1 / 1.5),
            place => PenstockBench.RunAsync(place, place.File, "--rw randread --bs 4k --blocking --preread --size 256M"),
            static _ => Task.FromResult(MemoryCopy.Run(256 << 20))),
    ];

    /// <summary>Beside fio on the part of the image where the file lies. Memory is ordinary on both sides; the file is registered.</summary>
    private static Contest Raw(string name, string work, double target, string ours, string theirs) => Contest.Of(
        new Row($"{name}-raw", work, "fio io_uring, raw image", target),
        place => PenstockBench.RunAsync(place, place.File, ours),
        place => Fio.RunAsync(place, place.Image, $"{theirs} --direct=1 {OnPiece(place)}"));

    /// <summary>As <see cref="Raw"/>, with registered memory on both sides.</summary>
    private static Contest Registered(string name, string work, double target, string ours, string theirs) => Contest.Of(
        new Row($"{name}-registered", $"{work}, registered memory", "fio io_uring, raw image, fixed buffers", target),
        place => PenstockBench.RunAsync(place, place.File, $"{ours} --registered"),
        place => Fio.RunAsync(place, place.Image, $"{theirs} --direct=1 --fixedbufs=1 {OnPiece(place)}"));

    private static Contest Kernel(string name, string work, double target, string ours, string theirs) => Contest.Of(
        new Row($"{name}-kernel", work, "fio io_uring, kernel ext4 on loop", target),
        place => PenstockBench.RunAsync(place, place.File, ours),
        place => place.OnKernelAsync(folder => Fio.RunAsync(place, Path.Combine(folder, Place.FileName), $"{theirs} --direct=1")),
        needsRoot: true);

    /// <summary>Beside RandomAccess through the kernel's page cache; the kernel's file is read through first too.</summary>
    private static Contest Cached(string name, string work, double target, string options) => Contest.Of(
        new Row(name, work, "RandomAccess, kernel ext4 on loop", target),
        place => PenstockBench.RunAsync(place, place.File, options),
        place => place.OnKernelAsync(folder => PenstockBench.RunAsync(place, Path.Combine(folder, Place.FileName), options)),
        needsRoot: true);

    /// <summary>Each side reads the file through once, which nobody has cached: ours is read in a new process, and fio's past the page cache.</summary>
    private static Contest ColdRead() => Contest.Of(
        new Row("cold-seqread", "cold sequential buffered read, 128 KiB", "fio io_uring, raw image, direct, depth 8", 0.95),
        place => PenstockBench.RunAsync(place, place.File, "--rw read --bs 128k --once"),
        place => Fio.RunOnceAsync(place.Image, $"--rw=read --bs=128k --iodepth=8 --direct=1 {OnPiece(place)}"));

    /// <summary>Each side appends to a file that it makes.</summary>
    private static Contest Append(string name, string work, string ours, string theirs) => Contest.Of(
        new Row(name, work, "fio io_uring, kernel ext4 on loop", 1.0),
        async place =>
        {
            Sample sample = await PenstockBench.RunAsync(place, $"{place.Image}:/log", $"--rw append --bs 4k {ours}");
            await Tool.RunAsync(place.Penstock, "rm", $"{place.Image}:/log");
            return sample;
        },
        place => place.OnKernelAsync(async folder =>
        {
            string file = Path.Combine(folder, "log");
            Sample sample = await Fio.RunAsync(place, file, $"--rw=write --bs=4k --iodepth=1 --size=1G --fallocate=none --file_append=1 {theirs}");
            File.Delete(file);
            return sample;
        }),
        needsRoot: true);

    private static string OnPiece(Place place) => $"--offset={place.Piece.Offset} --size={place.Piece.Length}";
}
