using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>One check of one volume: what its parts know of it and share.</summary>
internal sealed class CheckRun
{
    public CheckRun(VolumeStore store, Superblock superblock, ProblemLog log, CheckOptions options)
    {
        Store = store;
        Superblock = superblock;
        Geometry = new VolumeGeometry(superblock);
        Log = log;
        Options = options;
        Checksum = new MetadataChecksum(superblock);
        GroupChecksum = new GroupChecksum(superblock);
        Descriptors = new GroupDescriptor[Geometry.GroupCount];
        Used = new UnitMap(UnitOf(Geometry.BlockCount - 1) + 1);
        Shared = new UnitMap(Used.Length);
        Metadata = new UnitMap(Geometry.BlockCount);
        Inodes = new InodeUse(Geometry.GroupCount, Geometry.InodesPerGroup);
    }

    public VolumeStore Store { get; }

    public Superblock Superblock { get; }

    public VolumeGeometry Geometry { get; }

    public ProblemLog Log { get; }

    public CheckOptions Options { get; }

    public MetadataChecksum Checksum { get; }

    public GroupChecksum GroupChecksum { get; }

    /// <summary>The block of the superblock in use: a backup's where the primary one is no good.</summary>
    public VolumeBlock SuperblockAt { get; init; }

    public GroupDescriptor[] Descriptors { get; }

    /// <summary>Groups whose descriptor does not match its checksum, in a check: their bitmaps are looked at whatever it says.</summary>
    public HashSet<uint> Distrusted { get; } = [];

    /// <summary>Clusters (blocks without bigalloc) in use.</summary>
    public UnitMap Used { get; }

    /// <summary>Clusters that more than one owner claims.</summary>
    public UnitMap Shared { get; }

    /// <summary>Blocks of superblocks, descriptors, bitmaps and inode tables.</summary>
    public UnitMap Metadata { get; }

    public InodeUse Inodes { get; }

    public DirectoryRecords Directories { get; } = new();

    public AttributeReferences Attributes { get; } = new();

    public QuotaCount? Quotas { get; set; }

    /// <summary>Puts right what is found; null where the volume is only looked at.</summary>
    public Repair? Repair { get; init; }

    public Scheduler Scheduler => Store.Device.Scheduler;

    public int Parallelism => Repair is not null ? 1 : Options.Parallelism > 0 ? Options.Parallelism : Math.Clamp(Environment.ProcessorCount, 1, 4);

    public int BlockSize => Geometry.BlockSize;

    public ulong UnitOf(ulong block) => (block - Geometry.FirstDataBlock.Value) >> Geometry.LogClusterRatio;

    public bool Has(CompatFeatures feature) => Superblock.Has(feature);

    public bool Has(IncompatFeatures feature) => Superblock.Has(feature);

    public bool Has(ReadOnlyCompatFeatures feature) => Superblock.Has(feature);

    /// <summary>Whether blocks lie on the volume, behind its first one.</summary>
    public bool Contains(ulong first, ulong count = 1) => Geometry.Contains(new VolumeBlock(first), count);

    /// <summary>Tells a problem.</summary>
    /// <returns>Whether the caller is to put it right, at once.</returns>
    public bool Mends(string structure, string place, string found)
    {
        if (Repair is null)
        {
            Log.Problem(structure, place, found);
            return false;
        }

        Repair.Note(structure, place, found);
        return true;
    }

    /// <summary>Tells something that does no harm, and that a repair puts right all the same.</summary>
    public bool MendsNote(string structure, string place, string found)
    {
        if (Repair is null)
        {
            Log.Note(structure, place, found);
            return false;
        }

        Repair.Note(structure, place, found);
        return true;
    }

    public uint InodesToScan(uint group)
    {
        GroupDescriptor descriptor = Descriptors[group];
        return !GroupChecksum.IsUsed ? Geometry.InodesPerGroup
            : descriptor.Is(GroupFlags.InodeUninit) ? 0
            : Geometry.InodesPerGroup - Math.Min(descriptor.UnusedInodes, Geometry.InodesPerGroup);
    }

    /// <summary>Claims the clusters of blocks for an owner; those that have one already become shared.</summary>
    public bool Claim(ulong first, ulong count)
    {
        ulong unit = UnitOf(first);
        return Used.Add(unit, UnitOf(first + count - 1) - unit + 1, Shared);
    }
}
