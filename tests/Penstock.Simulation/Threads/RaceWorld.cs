using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Mapping;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>What a run with real threads plays in: a volume on a device, its files and their judges, on the scheduler of production.</summary>
internal sealed class RaceWorld
{
    private string? _violation;
    private long _done;

    public RaceWorld(Plan plan, BlockDevice device)
    {
        Plan = plan;
        Device = device;
        Image = VolumeImage.Of(plan.Shape);
        Cache = new PageCache(device.Scheduler, plan.CacheBytes);
    }

    public Plan Plan { get; }

    public BlockDevice Device { get; }

    public VolumeImage Image { get; }

    public PageCache Cache { get; }

    public SharedBuffers Buffers { get; } = new();

    public LockRecorder? Recorder => Device.Scheduler.Recorder;

    public Ext4FileSystem FileSystem { get; private set; } = null!;

    public RaceFile[] Files { get; } = new RaceFile[VolumeImage.FileCount];

    /// <summary>What was wrong first; null so far.</summary>
    public string? Violation => Volatile.Read(ref _violation);

    /// <summary>How many operations have been carried out.</summary>
    public long Done => Volatile.Read(ref _done);

    public void Violate(string what) => Interlocked.CompareExchange(ref _violation, what, null);

    public void NoteDone() => Interlocked.Increment(ref _done);

    public async Task OpenAsync()
    {
        FileSystem = await Ext4FileSystem.OpenAsync(Device, Cache, new Ext4OpenOptions
        {
            MayUseRootReserve = true, DiscardsFreedBlocks = Plan.DiscardsFreed, MetadataBudget = Plan.MetadataBytes,
        });
        for (int i = 0; i < Files.Length; i++)
        {
            Files[i] = new RaceFile(i, await FileSystem.Inodes.GetAsync(Image.Files[i]));
        }

        if (Plan.Ballast > 0)
        {
            await FallocatePath.AllocateAsync(Files[^1].Inode, 0, Plan.Ballast, keepsSize: true);
            await SyncPath.SyncFileSystemAsync(FileSystem);
        }
    }

    /// <summary>Opens the volume that was closed; the judges stay.</summary>
    public async Task ReopenAsync()
    {
        FileSystem = await Ext4FileSystem.OpenAsync(Device, Cache, new Ext4OpenOptions { IsReadOnly = true });
        foreach (RaceFile file in Files)
        {
            file.Reopen(await FileSystem.Inodes.GetAsync(Image.Files[file.Number]));
        }
    }

    public async Task CloseAsync()
    {
        foreach (RaceFile file in Files)
        {
            await FileSystem.Inodes.ReleaseAsync(file.Inode);
        }

        await FileSystem.DisposeAsync();
    }

    /// <summary>Invariants 3.6 and 3.7, with all callers gone.</summary>
    public void JudgeQuiet()
    {
        foreach (RaceFile file in Files)
        {
            Inode inode = file.Inode;
            if (inode.Gate.IsHeld || inode.Lock.IsHeld || inode.Invalidation.IsHeld)
            {
                Violate($"file {file.Number} is quiet, but a lock is held: gate {inode.Gate.SharedCount}, inode lock {inode.Lock.IsHeld}, invalidation {inode.Invalidation.IsHeld}");
            }
        }

        if (Recorder is { ViolationCount: > 0 } recorder)
        {
            Violate($"locks: {recorder.Violations[0]}");
        }
    }
}
