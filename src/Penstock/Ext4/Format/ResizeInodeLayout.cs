using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>
/// What inode 7 (resize_inode) owns: the blocks kept for more descriptors. Its double indirect block points to those of group 0, and each of them is an indirect
/// block that points to the same one of every backup. See https://docs.kernel.org/filesystems/ext4/special_inodes.html.
/// </summary>
internal sealed class ResizeInodeLayout
{
    public const uint Number = 7;

    /// <summary>A regular file that only its owner may read and write.</summary>
    public const ushort Mode = 0x8180;

    private readonly VolumeGeometry _geometry;
    private readonly List<VolumeBlock> _backups = [];

    public ResizeInodeLayout(VolumeGeometry geometry)
    {
        _geometry = geometry;
        ReservedBlocks = geometry.ReservedDescriptorBlocksAt(default);
        for (uint group = 1; group < geometry.GroupCount; group++)
        {
            if (geometry.HasSuperblock(new BlockGroup(group)))
            {
                _backups.Add(geometry.FirstBlockOf(new BlockGroup(group)));
            }
        }
    }

    /// <summary>The blocks kept in group 0, and in each group with a backup.</summary>
    public uint ReservedBlocks { get; }

    /// <summary>All of the inode's blocks, the double indirect one too.</summary>
    public ulong BlockCount => 1 + (ReservedBlocks * (1UL + (ulong)_backups.Count));

    /// <summary>The reserved block of group 0 with this index, and what it holds.</summary>
    public VolumeBlock Fill(uint index, Span<byte> block)
    {
        uint place = _geometry.DescriptorBlockCount + index;
        block.Clear();
        for (int backup = 0; backup < _backups.Count; backup++)
        {
            IndirectMap.WritePointer(block, (uint)backup, (uint)(_backups[backup].Value + 1 + place));
        }

        return _geometry.SuperblockBlock + 1u + place;
    }

    /// <summary>What the double indirect block holds.</summary>
    public void FillRoot(Span<byte> block)
    {
        block.Clear();
        for (uint index = 0; index < ReservedBlocks; index++)
        {
            uint place = _geometry.DescriptorBlockCount + index;
            IndirectMap.WritePointer(block, place % IndirectMap.PointersPerBlock(block.Length), (uint)(_geometry.SuperblockBlock + 1u + place).Value);
        }
    }

    /// <summary>Makes the inode lead to its double indirect block, and gives it the size that goes with that.</summary>
    public void Point(InodeRecord inode, VolumeBlock root)
    {
        IndirectMap.WritePointer(inode.BlockField, IndirectMap.DoubleIndirectSlot, (uint)root.Value);
        (FileBlock first, ulong span) = IndirectMap.RangeOf(IndirectMap.DoubleIndirectSlot, _geometry.BlockSize);
        inode.Size = (first.Value + span) * (uint)_geometry.BlockSize;
    }
}
