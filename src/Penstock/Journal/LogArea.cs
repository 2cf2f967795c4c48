using Penstock.Devices;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Journal;

/// <summary>
/// The blocks of a journal on the device: where each lies, and the superblock in the first of them. Used by one activity at a time.
/// </summary>
internal sealed class LogArea : IDisposable
{
    private const string Structure = "journal";

    private readonly BlockRun[] _runs;
    private readonly AlignedBuffer _first;
    private readonly int _blockSize;

    private readonly uint _superblockBlock;

    private LogArea(BlockDevice device, BlockRun[] runs, AlignedBuffer first, JournalSuperblock superblock, uint superblockBlock)
    {
        Device = device;
        _runs = runs;
        _superblockBlock = superblockBlock;
        _first = first;
        _blockSize = superblock.BlockSize;
        Superblock = superblock;
        Geometry = new LogGeometry(superblock);
    }

    public BlockDevice Device { get; }

    /// <summary>Whether it lies on the volume itself, and not on a device of its own.</summary>
    public bool IsOnVolume => _superblockBlock == 0;

    /// <summary>What <see cref="WriteSuperblockAsync"/> writes.</summary>
    public JournalSuperblock Superblock { get; }

    public LogGeometry Geometry { get; }

    /// <summary>Reads the superblock of a journal and takes the journal for use.</summary>
    /// <param name="device">The device it lies on.</param>
    /// <param name="blockSize">The volume's.</param>
    /// <param name="runs">Its blocks, in order and without a hole.</param>
    /// <param name="location">Whose they are, for messages.</param>
    /// <param name="superblockBlock">Which of its blocks has the superblock: the first, but on a device of its own.</param>
    /// <exception cref="CorruptVolumeException">The journal has a hole, or a block twice, or its superblock is damaged.</exception>
    /// <exception cref="UnsupportedFeatureException">It uses features that are not known.</exception>
    /// <exception cref="DeviceException">It could not be read.</exception>
    public static async ValueTask<LogArea> OpenAsync(BlockDevice device, int blockSize, IEnumerable<BlockRun> runs, string location, uint superblockBlock = 0)
    {
        BlockRun[] known = [.. runs];
        ulong blocks = 0;
        foreach (BlockRun run in known)
        {
            if (run.State != MapState.Mapped || run.First.Value != blocks)
            {
                throw new CorruptVolumeException(Structure, location, "block map", $"no block at {blocks}");
            }

            blocks += run.Count;
        }

        if (blocks <= superblockBlock)
        {
            throw new CorruptVolumeException(Structure, location, "block map", $"{blocks} blocks");
        }

        RequireDistinct(known, location);
        var first = new AlignedBuffer(blockSize, Math.Max(4096, device.MemoryAlignment));
        try
        {
            long offset = (long)(known[0].Volume.Value + superblockBlock) * blockSize;
            IoResult read = await device.ReadAsync(offset, first.Segment).ConfigureAwait(false);
            if (read.IsFailed)
            {
                throw new DeviceException(read.Fault, device.Name, "the journal's superblock could not be read", offset);
            }

            JournalSuperblock superblock = JournalSuperblock.Parse(first.GetSpan(), blockSize, blocks, location);
            return new LogArea(device, known, first, superblock, superblockBlock);
        }
        catch
        {
            ((IDisposable)first).Dispose();
            throw;
        }
    }

    /// <summary>Where a block of the journal lies on the device, in bytes, and how many from it on lie there in a row before <see cref="LogGeometry.End"/>, or of those for fast commits.</summary>
    public long OffsetOf(uint block, out uint inRow)
    {
        int low = 0;
        for (int high = _runs.Length - 1; low < high;)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _runs[middle].First.Value <= block ? (middle, high) : (low, middle - 1);
        }

        BlockRun run = _runs[low];
        ulong skip = block - run.First.Value;
        inRow = (uint)Math.Min(run.Count - skip, (block < Geometry.End ? Geometry.End : Superblock.Length) - block);
        return (long)(run.Volume.Value + skip) * _blockSize;
    }

    /// <summary>Writes the superblock, durably.</summary>
    public async ValueTask<StoreOutcome> WriteSuperblockAsync()
    {
        Superblock.WriteTo(_first.GetSpan());
        int length = Math.Min(Math.Max(JournalSuperblock.Size, Device.LogicalBlockSize), _blockSize);
        long offset = (long)(_runs[0].Volume.Value + _superblockBlock) * _blockSize;
        IoResult written = await Device.WriteAsync(offset, _first.Segment.Slice(0, length), isThrough: true).ConfigureAwait(false);
        return written.IsFailed
            ? StoreOutcome.OfWrite(written.Fault, offset) with { Step = "the journal's superblock could not be written" }
            : default;
    }

    /// <summary>Whether a block of the device is one of the journal's.</summary>
    public bool Contains(VolumeBlock block)
    {
        foreach (BlockRun run in _runs)
        {
            if (block >= run.Volume && block.Value - run.Volume.Value < run.Count)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A journal that has a block twice would be endless.</summary>
    private static void RequireDistinct(BlockRun[] runs, string location)
    {
        BlockRun[] sorted = [.. runs.OrderBy(run => run.Volume.Value)];
        for (int i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].Volume.Value - sorted[i - 1].Volume.Value < sorted[i - 1].Count)
            {
                throw new CorruptVolumeException(Structure, location, "block map", $"block {sorted[i].Volume.Value} twice");
            }
        }
    }

    public void Dispose() => ((IDisposable)_first).Dispose();
}
