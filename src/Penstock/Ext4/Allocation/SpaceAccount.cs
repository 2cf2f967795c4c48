using Penstock.Ext4.Format;

namespace Penstock.Ext4.Allocation;

/// <summary>On whose account clusters are taken.</summary>
internal enum SpaceUse : byte
{
    /// <summary>What is free for everybody: not the reserve of root, not the pool, nothing that is promised.</summary>
    Ordinary,

    /// <summary>What was promised by <see cref="SpaceAccount.TryReserve"/>: never fails.</summary>
    Reserved,

    /// <summary>Metadata that an operation needs to finish what it began (a split at a completion, at a removal): may use the pool and the reserve.</summary>
    Essential,
}

/// <summary>
/// The free space of the whole volume: free clusters and inodes as the descriptors count them, and who has a claim on them. In memory; the
/// superblock's counts follow at commits.
/// </summary>
/// <remarks>
/// Invariants: (1) reserved + pending never exceeds free, so that what was promised can be kept without waiting for a commit; (2) clusters
/// taken are taken out of the account before a group's bitmap is searched for them, so two allocations never rely on the same last cluster.
/// </remarks>
internal sealed class SpaceAccount
{
    private const ulong MaxPool = 4096;
    private const ulong PoolShare = 50;

    private readonly object _latch = new();
    private readonly int _logRatio;
    private ulong _free;
    private ulong _pending;
    private ulong _reserved;
    private ulong _rootReserve;
    private ulong _pool;
    private ulong _freeInodes;

    public SpaceAccount(Superblock superblock, VolumeGeometry geometry)
    {
        _logRatio = geometry.LogClusterRatio;
        _rootReserve = superblock.ReservedBlockCount >> _logRatio;
        ulong clusters = geometry.BlockCount >> _logRatio;
        _pool = Math.Min(clusters / PoolShare, MaxPool);
        Load(superblock.FreeBlockCount >> _logRatio, superblock.FreeInodeCount);
    }

    /// <summary>Whether allocations of this opener may use the blocks kept for root (s_r_blocks_count).</summary>
    public bool MayUseRootReserve { get; set; }

    /// <summary>Free blocks, including those not yet to be reused.</summary>
    public ulong FreeBlocks => FreeClusters << _logRatio;

    /// <summary>Free clusters, including those not yet to be reused: what the superblock's count says.</summary>
    public ulong FreeClusters
    {
        get
        {
            lock (_latch)
            {
                return _free;
            }
        }
    }

    public uint FreeInodes
    {
        get
        {
            lock (_latch)
            {
                return (uint)_freeInodes;
            }
        }
    }

    /// <summary>Clusters that were freed by a change that is not yet on the device.</summary>
    public ulong PendingClusters
    {
        get
        {
            lock (_latch)
            {
                return _pending;
            }
        }
    }

    /// <summary>Clusters promised to writeback.</summary>
    public ulong ReservedClusters
    {
        get
        {
            lock (_latch)
            {
                return _reserved;
            }
        }
    }

    /// <summary>Blocks that nobody has been promised: what <c>statfs</c> calls free.</summary>
    public ulong UnpromisedBlocks
    {
        get
        {
            lock (_latch)
            {
                return (_free - Math.Min(_free, _reserved)) << _logRatio;
            }
        }
    }

    /// <summary>Blocks that an ordinary user can still get: what <c>statfs</c> calls available.</summary>
    public ulong AvailableBlocks
    {
        get
        {
            lock (_latch)
            {
                ulong claimed = _reserved + _rootReserve + _pool;
                return (_free - Math.Min(_free, claimed)) << _logRatio;
            }
        }
    }

    /// <summary>Sets the free counts, from the superblock of a cleanly closed volume or from the sum of the descriptors.</summary>
    public void Load(ulong freeClusters, ulong freeInodes)
    {
        lock (_latch)
        {
            _free = freeClusters;
            _freeInodes = freeInodes;
        }
    }

    /// <summary>Promises clusters to an allocation to come. False if that would leave less than others may rely on.</summary>
    public bool TryReserve(ulong clusters)
    {
        lock (_latch)
        {
            if (!HasRoom(clusters, SpaceUse.Ordinary))
            {
                return false;
            }

            _reserved += clusters;
            return true;
        }
    }

    /// <summary>Takes a promise back.</summary>
    public void Unreserve(ulong clusters)
    {
        lock (_latch)
        {
            Require(clusters <= _reserved, "More space was given back than had been reserved.");
            _reserved -= clusters;
        }
    }

    /// <summary>Takes clusters off the account, before they are looked for: at most <paramref name="wanted"/>, 0 if there are none.</summary>
    public ulong Take(ulong wanted, SpaceUse use)
    {
        lock (_latch)
        {
            ulong taken = use == SpaceUse.Reserved ? Math.Min(wanted, _reserved) : Math.Min(wanted, RoomFor(use));
            _free -= Math.Min(taken, _free);
            if (use == SpaceUse.Reserved)
            {
                _reserved -= taken;
            }

            return taken;
        }
    }

    /// <summary>Puts back what was taken and then not found or not needed.</summary>
    public void PutBack(ulong clusters, SpaceUse use)
    {
        lock (_latch)
        {
            _free += clusters;
            if (use == SpaceUse.Reserved)
            {
                _reserved += clusters;
            }
        }
    }

    /// <summary>Clusters were freed by a change that is not on the device yet.</summary>
    public void AddPending(ulong clusters)
    {
        lock (_latch)
        {
            _free += clusters;
            _pending += clusters;
        }
    }

    /// <summary>The change that freed the clusters is on the device.</summary>
    public void EndPending(ulong clusters)
    {
        lock (_latch)
        {
            Require(clusters <= _pending, "More freed blocks were committed than had been freed.");
            _pending -= clusters;
        }
    }

    /// <summary>Clusters that were counted as free cannot be used: their group is damaged.</summary>
    public void Lose(ulong clusters, ulong inodes)
    {
        lock (_latch)
        {
            _free -= Math.Min(clusters, _free);
            _freeInodes -= Math.Min(inodes, _freeInodes);
        }
    }

    public void TakeInode()
    {
        lock (_latch)
        {
            _freeInodes -= Math.Min(_freeInodes, 1);
        }
    }

    public void AddInode()
    {
        lock (_latch)
        {
            _freeInodes++;
        }
    }

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new InvalidOperationException(problem);
        }
    }

    private bool HasRoom(ulong clusters, SpaceUse use) => clusters <= RoomFor(use);

    private ulong RoomFor(SpaceUse use)
    {
        ulong claimed = _reserved + _pending;
        if (use == SpaceUse.Ordinary)
        {
            claimed += _pool + (MayUseRootReserve ? 0 : _rootReserve);
        }

        return _free - Math.Min(_free, claimed);
    }
}
