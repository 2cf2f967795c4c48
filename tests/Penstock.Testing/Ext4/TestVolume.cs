using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;

namespace Penstock.Testing.Ext4;

/// <summary>An open volume without a file system object: device, journal without a log, allocators. The client of its own journal.</summary>
internal sealed class TestVolume : IJournalClient, IAsyncDisposable
{
    public TestVolume(EmptyVolume? shape = null, int? seed = null)
    {
        shape ??= new EmptyVolume();
        var device = new SimulatedDevice(new ManualScheduler(seed), (long)(shape.Blocks + shape.FirstDataBlock) * shape.BlockSize);
        Volume = Open(device, shape.WriteTo(device), shape.Discards);
    }

    /// <summary>Opens the volume that is on a device, whose superblock is known.</summary>
    public TestVolume(BlockDevice device, Superblock superblock) => Volume = Open(device, superblock, discards: false);

    /// <summary>The scheduler of a volume that a test drives.</summary>
    public ManualScheduler Scheduler => (ManualScheduler)Volume.Scheduler;

    public SimulatedDevice Device => (SimulatedDevice)Volume.Device;

    public Ext4Volume Volume { get; }

    public VolumeGeometry Geometry => Volume.Geometry;

    public int CreditsBeforeCommit => 1;

    /// <summary>Runs a change in a handle with so many credits.</summary>
    public async Task<T> ChangeAsync<T>(int credits, Func<Handle, ValueTask<T>> change)
    {
        Handle handle = await Volume.Journal.BeginAsync(credits);
        try
        {
            return await change(handle);
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <inheritdoc cref="ChangeAsync{T}"/>
    public Task ChangeAsync(int credits, Func<Handle, ValueTask> change) => ChangeAsync(credits, async handle =>
    {
        await change(handle);
        return true;
    });

    public ValueTask CommitAsync() => Volume.Journal.CommitAsync(Volume.Journal.Running);

    /// <summary>Commits and opens what is on the device as a new volume: nothing in memory helps.</summary>
    public async Task<TestVolume> ReopenAsync()
    {
        await CommitAsync();
        return new TestVolume(Device, Superblock.Parse(Device.Peek(Superblock.VolumeOffset, Superblock.Size)));
    }

    public ValueTask BeforeFirstChangeAsync() => ValueTask.CompletedTask;

    public void FreedBlocksCommitted(VolumeBlock first, ulong count) => Volume.Blocks.FreedBlocksCommitted(first, count);

    public async ValueTask BeforeCommitAsync(Handle handle)
    {
        MetadataBlock block = await Volume.Cache.GetAsync(Geometry.SuperblockBlock);
        using (BlockEdit edit = handle.Edit(block))
        {
            Volume.Superblock.FreeBlockCount = Volume.Space.FreeBlocks;
            Volume.Superblock.FreeInodeCount = Volume.Space.FreeInodes;
            int offset = Geometry.BlockSize == Superblock.MinBlockSize ? 0 : Superblock.VolumeOffset;
            Volume.Superblock.WriteTo(edit.Bytes.Slice(offset, Superblock.Size));
        }

        block.Unpin();
    }

    public ValueTask DisposeAsync() => Volume.Journal.DisposeAsync();

    private Ext4Volume Open(BlockDevice device, Superblock superblock, bool discards)
    {
        var volume = new Ext4Volume(device, superblock) { DiscardsFreedBlocks = discards };
        volume.Attach(new NoLogJournal(new VolumeMetadataCache(device, superblock.BlockSize), this, 0));
        return volume;
    }
}
