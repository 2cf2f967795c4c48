using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// One block group in memory: its descriptor, and what its bitmaps do not say. The object itself is the latch of the group.
/// </summary>
/// <remarks>
/// <para>Everything of a group is read and changed under <c>lock (group)</c>, after the blocks concerned (descriptor, bitmap) were loaded and
/// pinned; nothing is awaited under it. A latch is enough, and cheaper than a lock of rank Group, because a search over a loaded bitmap takes
/// microseconds. Order of latches: group, then metadata block.</para>
/// <para>Invariants: (1) the descriptor here is the truth, and equals its block after every change; (2) bits that wait for a commit are free in
/// the bitmap and set in <see cref="Pending"/>; (3) a group that was found damaged is never changed again.</para>
/// </remarks>
internal sealed class Group
{
    private readonly GroupTable _table;
    private GroupDescriptor _descriptor;

    public Group(GroupTable table, BlockGroup number, in GroupDescriptor descriptor, CorruptVolumeException? damage)
    {
        _table = table;
        _descriptor = descriptor;
        Number = number;
        Damage = damage;
        (DescriptorBlock, DescriptorOffset) = table.Geometry.LocateDescriptor(number);
    }

    public BlockGroup Number { get; }

    /// <summary>Where the descriptor lies.</summary>
    public VolumeBlock DescriptorBlock { get; }

    public int DescriptorOffset { get; }

    public VolumeBlock BlockBitmap => _descriptor.BlockBitmap;

    public VolumeBlock InodeBitmap => _descriptor.InodeBitmap;

    /// <summary>The first block of the group's inode table.</summary>
    public VolumeBlock InodeTable => _descriptor.InodeTable;

    /// <summary>What is wrong with the group; then nothing is allocated or freed in it.</summary>
    public CorruptVolumeException? Damage { get; private set; }

    /// <summary>The descriptor. Latch held.</summary>
    public ref GroupDescriptor Descriptor => ref _descriptor;

    /// <summary>The group's clusters that were freed but not yet committed, one bit each; null if there are none. Latch held.</summary>
    public ulong[]? Pending { get; set; }

    /// <summary>How many bits are set in <see cref="Pending"/>. Latch held.</summary>
    public uint PendingCount { get; set; }

    /// <summary>
    /// No free run is longer than this, as far as was seen by a whole search since the last free; <see cref="uint.MaxValue"/>: not known. Latch held.
    /// </summary>
    public uint LongestRun { get; set; } = uint.MaxValue;

    /// <summary>Windows that growing files have put a claim on; hints. Latch held.</summary>
    public List<AllocationWindow>? Windows { get; set; }

    /// <summary>The volume's own structures in the group, as clusters; null until they were looked for.</summary>
    public ClusterRange[]? SystemRanges { get; set; }

    /// <summary>Whether the block bitmap was compared with the descriptor since the volume was opened. Latch held.</summary>
    public bool IsBlockBitmapJudged { get; set; }

    /// <summary>Whether the inode bitmap was compared with the descriptor since the volume was opened. Latch held.</summary>
    public bool IsInodeBitmapJudged { get; set; }

    /// <summary>A glance at the clusters that can be allocated now, without the latch: a hint.</summary>
    public uint AvailableHint => Damage is null ? _descriptor.FreeClusters - Math.Min(_descriptor.FreeClusters, PendingCount) : 0;

    /// <summary>A glance at the free inodes, without the latch: a hint.</summary>
    public uint FreeInodesHint => Damage is null ? _descriptor.FreeInodes : 0;

    /// <summary>A glance at the directories, without the latch: a hint.</summary>
    public uint UsedDirectoriesHint => _descriptor.UsedDirectories;

    /// <summary>Ends all allocation in the group. Latch held.</summary>
    public CorruptVolumeException Condemn(CorruptVolumeException damage)
    {
        if (Damage is null)
        {
            Damage = damage;
            _table.NoteDamage(this);
        }

        return damage;
    }

    /// <summary>Writes the descriptor into its block: one credit. Latch held; <paramref name="block"/> is <see cref="DescriptorBlock"/>.</summary>
    public void StoreDescriptor(Handle handle, MetadataBlock block)
    {
        using BlockEdit edit = handle.Edit(block);
        Span<byte> raw = edit.Bytes.Slice(DescriptorOffset, _table.Geometry.DescriptorSize);
        _descriptor.WriteTo(raw, Number, _table.Checksum);
    }

    public override string ToString() => Number.ToString();
}
