namespace Penstock.Bench.Comparing;

/// <summary>Files of a volume in process, beside fio on the raw image and beside the kernel's ext4 on a loop device over the same image.</summary>
internal static class InProcessRows
{
    public static IReadOnlyList<Row> All { get; } =
    [
        Raw("randread", "direct 4 KiB random read, depth 32", 1.0, "--rw randread --bs 4k --depth 32 --direct", "--rw=randread --bs=4k --iodepth=32"),
        Kernel("randread", "direct 4 KiB random read, depth 32", 1.25, "--rw randread --bs 4k --depth 32 --direct", "--rw=randread --bs=4k --iodepth=32"),
        Raw("randwrite", "direct 4 KiB random overwrite, depth 32", 0.97, "--rw randwrite --bs 4k --depth 32 --direct", "--rw=randwrite --bs=4k --iodepth=32"),
        Kernel("randwrite", "direct 4 KiB random overwrite, depth 32", 1.1, "--rw randwrite --bs 4k --depth 32 --direct", "--rw=randwrite --bs=4k --iodepth=32"),
        Raw("randread-one-blocking", "direct 4 KiB random read, depth 1, synchronous", 0.97, "--rw randread --bs 4k --depth 1 --direct --blocking", "--rw=randread --bs=4k --iodepth=1"),
        Raw("randread-one-awaited", "direct 4 KiB random read, depth 1, awaited", 0.9, "--rw randread --bs 4k --depth 1 --direct", "--rw=randread --bs=4k --iodepth=1"),
        Raw("seqread", "direct 1 MiB sequential read, depth 8", 0.98, "--rw read --bs 1M --depth 8 --direct", "--rw=read --bs=1M --iodepth=8"),
        Raw("seqwrite", "direct 1 MiB sequential write, depth 8", 0.98, "--rw write --bs 1M --depth 8 --direct", "--rw=write --bs=1M --iodepth=8"),
        Kernel("two-writers", "two writers, disjoint ranges, direct 4 KiB, depth 16 each", 1.2, "--rw write --bs 4k --depth 16 --jobs 2 --direct",
            "--rw=write --bs=4k --iodepth=16 --numjobs=2 --group_reporting --size=256M --offset_increment=256M"),
        Cached("cached-read-blocking", "cached 4 KiB random read, synchronous", 3, "--rw randread --bs 4k --blocking --preread"),
        Cached("cached-read-awaited", "cached 4 KiB random read, awaited", 4, "--rw randread --bs 4k --preread"),
        Cached("cached-write", "cached 4 KiB random write, awaited", 2, "--rw randwrite --bs 4k --preread --size 64M"),
    ];

    /// <summary>Beside fio on the part of the image where the file lies. Memory is ordinary on both sides; the file is registered.</summary>
    private static Row Raw(string name, string work, double target, string ours, string theirs) => new($"{name}-raw", work, "fio io_uring, raw image", target)
    {
        Ours = place => PenstockBench.RunAsync(place, place.File, ours),
        Theirs = place => Fio.RunAsync(place, place.Image, theirs, "--direct=1", $"--offset={place.Piece.Offset}", $"--size={place.Piece.Length}"),
    };

    private static Row Kernel(string name, string work, double target, string ours, string theirs) => new($"{name}-kernel", work, "fio io_uring, kernel ext4 on loop", target)
    {
        NeedsRoot = true,
        Ours = place => PenstockBench.RunAsync(place, place.File, ours),
        Theirs = place => place.OnKernelAsync(folder => Fio.RunAsync(place, Path.Combine(folder, Place.FileName), theirs, "--direct=1")),
    };

    /// <summary>Beside RandomAccess through the kernel's page cache; the kernel's file is read through first too.</summary>
    private static Row Cached(string name, string work, double target, string options) => new(name, work, "RandomAccess, kernel ext4 on loop", target)
    {
        NeedsRoot = true,
        Ours = place => PenstockBench.RunAsync(place, place.File, options),
        Theirs = place => place.OnKernelAsync(folder => PenstockBench.RunAsync(place, Path.Combine(folder, Place.FileName), options)),
    };
}
