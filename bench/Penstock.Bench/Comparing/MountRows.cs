namespace Penstock.Bench.Comparing;

/// <summary>One file through a mount: fio on ours, on fuse2fs, on the kernel's ext4, and on a server that does nothing, each mounted anew on the same image.</summary>
internal static class MountRows
{
    private const string RandomRead = "--rw=randread --bs=4k --iodepth=32 --direct=1";
    private const string RandomWrite = "--rw=randwrite --bs=4k --iodepth=32 --direct=1";
    private const string RandomReadWork = "mount: direct 4 KiB random read, depth 32";
    private const string RandomWriteWork = "mount: direct 4 KiB random write, depth 32";
    private const string OverRing = ", over io_uring (switched on)";

    public static IReadOnlyList<Contest> All { get; } =
    [
        Fuse2fs("randread", RandomReadWork, 3, RandomRead),
        Fuse2fs("randwrite", RandomWriteWork, 3, RandomWrite),
        Kernel("randread", RandomReadWork, 0.8, RandomRead),
        Bare("randread", RandomReadWork, 0.6, RandomRead),
        Ring(Fuse2fs("ring-randread", RandomReadWork + OverRing, 4, RandomRead)),
        Ring(Fuse2fs("ring-randwrite", RandomWriteWork + OverRing, 3, RandomWrite)),
        Ring(Kernel("ring-randread", RandomReadWork + OverRing, 0.8, RandomRead)),
        Ring(Bare("ring-randread", RandomReadWork + OverRing, 0.6, RandomRead, isOverRing: true)),
        Fuse2fs("seqread", "mount: direct 1 MiB sequential read, depth 8", 5, "--rw=read --bs=1M --iodepth=8 --direct=1"),
        Fuse2fs("seqwrite", "mount: direct 1 MiB sequential write, depth 8", 5, "--rw=write --bs=1M --iodepth=8 --direct=1"),
        Fuse2fs("buffered-read", "mount: buffered 1 MiB sequential read, cold", 5, "--rw=read --bs=1M --ioengine=psync", isOnce: true),
        Fuse2fs("buffered-write", "mount: buffered 1 MiB sequential write, fsync at the end", 5, "--rw=write --bs=1M --ioengine=psync --end_fsync=1", isOnce: true),
        Kernel("cached-read", "mount: cached 128 KiB sequential re-read", 0.95, "--rw=read --bs=128k --ioengine=psync --pre_read=1 --invalidate=0"),
        Kernel("mapped-read", "mount: mapped 4 KiB random read, cached", 0.95, "--rw=randread --bs=4k --ioengine=mmap --pre_read=1 --invalidate=0"),
    ];

    private static Contest Fuse2fs(string name, string work, double target, string fio, bool isOnce = false) => Contest.Of(
        new Row($"mount-{name}", work, "fuse2fs", target),
        place => OnMountAsync(place, ServedMount.PenstockAsync(place, place.Image), fio, isOnce),
        place => OnMountAsync(place, ServedMount.Fuse2fsAsync(place, place.Image), fio, isOnce),
        needsRoot: true);

    private static Contest Kernel(string name, string work, double target, string fio) => Contest.Of(
        new Row($"mount-{name}-kernel", work, "kernel ext4 on loop", target),
        place => OnMountAsync(place, ServedMount.PenstockAsync(place, place.Image), fio, isOnce: false),
        place => place.OnKernelAsync(folder => Fio.RunAsync(place, Path.Combine(folder, Place.FileName), fio)),
        needsRoot: true);

    private static Contest Bare(string name, string work, double target, string fio, bool isOverRing = false) => Contest.Of(
        new Row($"mount-{name}-bare", work, "a server that answers zeros", target),
        place => OnMountAsync(place, ServedMount.PenstockAsync(place, place.Image), fio, isOnce: false),
        place => OnMountAsync(place, ServedMount.BareAsync(place, isOverRing ? place.Image : null), fio, isOnce: false),
        needsRoot: true);

    private static Contest Ring(Contest contest) => contest with
    {
        Ours = place => FuseRing.WithAsync(() => contest.Ours(place)),
        Theirs = place => FuseRing.WithAsync(() => contest.Theirs(place)),
    };

    private static async Task<Sample> OnMountAsync(Place place, Task<ServedMount> mounting, string fio, bool isOnce)
    {
        await using ServedMount mount = await mounting;
        string file = Path.Combine(mount.Folder, Place.FileName);
        if (!isOnce)
        {
            await Fio.RunOnceAsync(file, $"--time_based --runtime={place.WarmUp} {fio}");
            fio = $"--time_based --runtime={place.Seconds} {fio}";
        }

        TimeSpan before = mount.ProcessorTime;
        Sample sample = await Fio.RunOnceAsync(file, fio);
        double server = (mount.ProcessorTime - before).TotalMicroseconds / sample.Operations;
        return sample with { ProcessorMicroseconds = sample.ProcessorMicroseconds + server };
    }
}
