namespace Penstock.Mapping;

/// <summary>What stands behind a block of a file.</summary>
internal enum MapState : byte
{
    /// <summary>No block: reads as zeros.</summary>
    Hole,

    /// <summary>A block that has been written.</summary>
    Mapped,

    /// <summary>A block is allocated but was never written: reads as zeros until it is converted (Rule 2.17).</summary>
    Unwritten,
}

/// <summary>Consecutive blocks of a file that have one state and, unless a hole, lie consecutively on the volume.</summary>
/// <param name="First">The first block in the file.</param>
/// <param name="Volume">Where it is on the volume; meaningless for a hole.</param>
/// <param name="Count">How many blocks; at least 1.</param>
/// <param name="State">What stands behind them.</param>
internal readonly record struct BlockRun(FileBlock First, VolumeBlock Volume, ulong Count, MapState State)
{
    public static BlockRun Hole(FileBlock first, ulong count) => new(first, default, count, MapState.Hole);

    /// <summary>The first block after the run.</summary>
    public FileBlock End => First + Count;

    /// <summary>Whether there are blocks on the volume behind the run.</summary>
    public bool IsAllocated => State != MapState.Hole;

    /// <summary>The part of the run from <paramref name="first"/> on, at most <paramref name="count"/> blocks.</summary>
    public BlockRun From(FileBlock first, ulong count)
    {
        ulong skip = first - First;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(skip, Count);
        return new BlockRun(first, IsAllocated ? Volume + skip : default, Math.Min(count, Count - skip), State);
    }
}
