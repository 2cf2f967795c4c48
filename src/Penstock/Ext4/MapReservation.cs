using Penstock.Ext4.Allocation;

namespace Penstock.Ext4;

/// <summary>
/// What one file has been promised for writeback: clusters for its data, and for the nodes that will map them. Its own latch; any thread.
/// </summary>
/// <remarks>
/// A block may need a cluster of its own, so each is promised one; what turns out not to be needed goes back when the block is allocated.
/// </remarks>
internal sealed class MapReservation(SpaceAccount space, Func<ulong, ulong> estimateNodes)
{
    private readonly object _latch = new();
    private ulong _blocks;
    private ulong _nodes;

    /// <summary>Blocks promised and not yet allocated.</summary>
    public ulong Blocks
    {
        get
        {
            lock (_latch)
            {
                return _blocks;
            }
        }
    }

    public bool TryReserve(ulong count)
    {
        lock (_latch)
        {
            ulong nodes = Math.Max(estimateNodes(_blocks + count), _nodes);
            if (!space.TryReserve(count + (nodes - _nodes)))
            {
                return false;
            }

            _blocks += count;
            _nodes = nodes;
            return true;
        }
    }

    public void Cancel(ulong count)
    {
        lock (_latch)
        {
            if (count > _blocks)
            {
                throw new InvalidOperationException("More blocks were cancelled than had been reserved.");
            }

            _blocks -= count;
            space.Unreserve(count);
            Shrink();
        }
    }

    /// <summary>Begins an allocation out of the promise: how many of <paramref name="count"/> blocks it covers.</summary>
    public ulong Begin(ulong count)
    {
        lock (_latch)
        {
            ulong covered = Math.Min(count, _blocks);
            _blocks -= covered;
            return covered;
        }
    }

    /// <summary>Ends an allocation: of the blocks begun with, so many were mapped, in so many newly taken clusters.</summary>
    public void End(ulong begun, ulong mapped, ulong clusters)
    {
        lock (_latch)
        {
            _blocks += begun - mapped;
            space.Unreserve(mapped - clusters);
            Shrink();
        }
    }

    /// <summary>Takes a node's cluster out of the promise, if one is left.</summary>
    public bool TryBeginNode()
    {
        lock (_latch)
        {
            if (_nodes == 0)
            {
                return false;
            }

            _nodes--;
            return true;
        }
    }

    /// <summary>The node was not allocated after all.</summary>
    public void UndoNode()
    {
        lock (_latch)
        {
            _nodes++;
        }
    }

    /// <summary>Gives back what fewer blocks do not need. Latch held.</summary>
    private void Shrink()
    {
        ulong nodes = estimateNodes(_blocks);
        if (nodes < _nodes)
        {
            space.Unreserve(_nodes - nodes);
            _nodes = nodes;
        }
    }
}
