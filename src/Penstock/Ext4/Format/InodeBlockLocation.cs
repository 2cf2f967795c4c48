using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>A metadata block of an inode, for the message about it; block 0 stands for the inode's own i_block.</summary>
internal readonly record struct InodeBlockLocation(InodeNumber Inode, VolumeBlock Block)
{
    public override string ToString() => Block.Value == 0 ? $"{Inode}, i_block" : $"{Inode}, {Block}";
}
