using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// The groups of a volume. A block of descriptors is read and checked when one of its groups is first asked for, so opening a large volume costs
/// nothing here; what was read stays in memory, some 200 bytes a group.
/// </summary>
internal sealed class GroupTable(Ext4Volume volume)
{
    private readonly object _latch = new();
    private readonly Dictionary<uint, Group[]> _loaded = [];

    public VolumeGeometry Geometry => volume.Geometry;

    public GroupChecksum Checksum => volume.GroupChecksum;

    public uint Count => volume.Geometry.GroupCount;

    /// <summary>The group if it is in memory.</summary>
    public Group? TryGet(BlockGroup number)
    {
        (uint index, uint slot) = Math.DivRem(number.Value, Geometry.DescriptorsPerBlock);
        lock (_latch)
        {
            return _loaded.TryGetValue(index, out Group[]? groups) ? groups[slot] : null;
        }
    }

    /// <summary>The group, read if need be. A damaged one is returned too: see <see cref="Group.Damage"/>.</summary>
    /// <exception cref="DeviceException">The descriptor could not be read.</exception>
    public ValueTask<Group> FindAsync(BlockGroup number) =>
        TryGet(number) is { } group ? new ValueTask<Group>(group) : LoadAsync(number);

    /// <summary>The group, read if need be, with a descriptor that is sound.</summary>
    /// <exception cref="CorruptVolumeException">The descriptor is damaged.</exception>
    /// <exception cref="DeviceException">The descriptor could not be read.</exception>
    public async ValueTask<Group> GetAsync(BlockGroup number)
    {
        Group group = await FindAsync(number).ConfigureAwait(false);
        return group.InodeTable.Value != 0 ? group : throw group.Damage!;
    }

    /// <summary>Reads all descriptors and sums up what they count as free; for a volume that was not closed cleanly.</summary>
    public async ValueTask<(ulong FreeClusters, ulong FreeInodes)> CountFreeAsync()
    {
        ulong clusters = 0;
        ulong inodes = 0;
        for (uint number = 0; number < Count; number++)
        {
            if (number % (Geometry.DescriptorsPerBlock * PrefetchBlocks) == 0)
            {
                PrefetchFrom(number / Geometry.DescriptorsPerBlock);
            }

            Group group = await FindAsync(new BlockGroup(number)).ConfigureAwait(false);
            clusters += group.Damage is null ? group.Descriptor.FreeClusters : 0;
            inodes += group.FreeInodesHint;
        }

        return (clusters, inodes);
    }

    /// <summary>A group was found damaged: what it has free is lost to everybody. The group's latch is held.</summary>
    public void NoteDamage(Group group)
    {
        volume.NoteDamage(group.Damage!);
        uint free = group.Descriptor.FreeClusters;
        volume.Space.Lose(free - Math.Min(free, group.PendingCount), group.Descriptor.FreeInodes);
    }

    private const uint PrefetchBlocks = 32;

    private void PrefetchFrom(uint index)
    {
        uint count = Math.Min(PrefetchBlocks, Geometry.DescriptorBlockCount - index);
        VolumeBlock first = Geometry.DescriptorBlock(index);

        // Only a linear table lies in consecutive blocks; a meta group has one block of descriptors.
        if (Geometry.DescriptorBlock(index + count - 1) == first + (count - 1))
        {
            volume.Cache.Prefetch(first, (int)count);
        }
    }

    private async ValueTask<Group> LoadAsync(BlockGroup number)
    {
        (uint index, uint slot) = Math.DivRem(number.Value, Geometry.DescriptorsPerBlock);
        MetadataBlock block = await volume.Cache.GetAsync(Geometry.DescriptorBlock(index)).ConfigureAwait(false);
        try
        {
            Group[] read = ReadGroups(index, block.Bytes);
            lock (_latch)
            {
                // Who came second drops what he read: the first may have changed the block since.
                if (!_loaded.TryGetValue(index, out Group[]? groups))
                {
                    _loaded.Add(index, groups = read);
                    NoteDamaged(read);
                }

                return groups[slot];
            }
        }
        finally
        {
            block.Unpin();
        }
    }

    private void NoteDamaged(Group[] groups)
    {
        foreach (Group group in groups.Where(g => g.Damage is not null))
        {
            volume.NoteDamage(group.Damage!);
        }
    }

    private Group[] ReadGroups(uint index, ReadOnlySpan<byte> bytes)
    {
        uint first = index * Geometry.DescriptorsPerBlock;
        var groups = new Group[Math.Min(Geometry.DescriptorsPerBlock, Count - first)];
        for (int i = 0; i < groups.Length; i++)
        {
            var number = new BlockGroup(first + (uint)i);
            groups[i] = ReadGroup(number, bytes.Slice(i * Geometry.DescriptorSize, Geometry.DescriptorSize));
        }

        return groups;
    }

    private Group ReadGroup(BlockGroup number, ReadOnlySpan<byte> raw)
    {
        try
        {
            return new Group(this, number, GroupDescriptor.Parse(raw, number, Geometry, Checksum), damage: null);
        }
        catch (CorruptVolumeException damage)
        {
            // One bad descriptor does not take its neighbours with it.
            return new Group(this, number, default, damage);
        }
    }
}
