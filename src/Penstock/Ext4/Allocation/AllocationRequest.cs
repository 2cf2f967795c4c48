using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>What a mapper asks of the allocator.</summary>
internal readonly record struct AllocationRequest
{
    public AllocationRequest() => HighestBlock = ulong.MaxValue;

    /// <summary>The block that would suit best: the one after the file's neighbouring block, or any of the group it should lie in.</summary>
    public required VolumeBlock Goal { get; init; }

    /// <summary>How many clusters, at most.</summary>
    public required ulong Clusters { get; init; }

    public SpaceUse Use { get; init; }

    /// <summary>No block may be beyond this one: an indirect map has 32 bits for each.</summary>
    public ulong HighestBlock { get; init; }

    /// <summary>Whether the goal follows a block of the file, so that even a few clusters there are better than many elsewhere.</summary>
    public bool IsContinuation { get; init; }

    /// <summary>Whether this is all of a small file or a single block of metadata: packed one after the other.</summary>
    public bool IsStream { get; init; }

    /// <summary>The file's window, if it is growing.</summary>
    public AllocationWindow? Window { get; init; }

    /// <summary>How many clusters the run and the window behind it should have together.</summary>
    public uint WindowClusters { get; init; }
}
