using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4;

/// <summary>
/// What all parts of one open ext2/3/4 volume share: what the superblock says, the groups, the accounts of free space, the journal with its
/// cache of metadata. The file system, the inodes and the mappers hang on it.
/// </summary>
internal sealed class Ext4Volume
{
    private MetadataJournal? _journal;

    /// <param name="device">The device the volume starts on, at offset 0.</param>
    /// <param name="superblock">A superblock that passed its validation. The volume owns it from now on.</param>
    public Ext4Volume(BlockDevice device, Superblock superblock)
    {
        Device = device;
        Scheduler = device.Scheduler;
        Superblock = superblock;
        Geometry = new VolumeGeometry(superblock);
        GroupChecksum = new GroupChecksum(superblock);
        Checksum = new MetadataChecksum(superblock);
        Space = new SpaceAccount(superblock, Geometry);
        Groups = new GroupTable(this);
        Blocks = new BlockAllocator(this);
        Inodes = new InodeAllocator(this);
    }

    public BlockDevice Device { get; }

    public Scheduler Scheduler { get; }

    /// <summary>The superblock as last read or stored. Locked (<c>lock</c>) by whoever changes a field after opening.</summary>
    public Superblock Superblock { get; }

    public VolumeGeometry Geometry { get; }

    /// <summary>How descriptors and bitmaps are checked.</summary>
    public GroupChecksum GroupChecksum { get; }

    /// <summary>How what belongs to an inode is checked.</summary>
    public MetadataChecksum Checksum { get; }

    /// <summary>How much is free, and promised, on the whole volume.</summary>
    public SpaceAccount Space { get; }

    public GroupTable Groups { get; }

    public BlockAllocator Blocks { get; }

    public InodeAllocator Inodes { get; }

    /// <summary>Whether freed blocks are discarded once the change that freed them is on the device.</summary>
    public bool DiscardsFreedBlocks { get; init; }

    public MetadataJournal Journal => _journal ?? throw new InvalidOperationException("The volume has no journal yet.");

    public MetadataCache Cache => Journal.Cache;

    /// <summary>Whether anything was found damaged since the volume was opened: the superblock is to say so.</summary>
    public bool IsDamaged => Damage.IsAny;

    /// <summary>What was found damaged, until the superblock says so.</summary>
    public DamageRecord Damage { get; } = new();

    /// <summary>Ties the volume to its journal, once: the journal needs the volume first, as its client.</summary>
    public void Attach(MetadataJournal journal)
    {
        if (_journal is not null)
        {
            throw new InvalidOperationException("The volume has a journal already.");
        }

        _journal = journal;
    }

    /// <summary>No more changes: the volume is another's. Nothing if it has no journal yet.</summary>
    public void Abort(IoFault reason) => _journal?.Abort(reason);

    /// <summary>Waits until blocks freed by changes that are not yet on the device can be used again. Whether there were any. No handle is held.</summary>
    public async ValueTask<bool> TryMakeRoomAsync()
    {
        if (Space.PendingClusters == 0)
        {
            return false;
        }

        await Journal.CommitAsync(Journal.Running).ConfigureAwait(false);
        return true;
    }

    /// <summary>Notes damage that was met, for the superblock.</summary>
    public void NoteDamage(CorruptVolumeException found) =>
        Damage.Add(found, new Files.Timestamp(Scheduler.UnixNanoseconds / Files.Timestamp.NanosecondsPerSecond));

    /// <summary>For the filter of a catch, as <see cref="NoteDamage"/>. Always false, so that the exception goes its way.</summary>
    public bool MeetsDamage(CorruptVolumeException found)
    {
        NoteDamage(found);
        return false;
    }
}
