using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>Where an inode lies: its group, its place in the group's bitmap and table, and within a block of the table.</summary>
/// <param name="Group">The group whose table holds it.</param>
/// <param name="Index">Its index in the group, the bit of the inode bitmap too.</param>
/// <param name="TableBlock">Blocks after the start of the group's inode table.</param>
/// <param name="OffsetInBlock">Bytes after the start of that block.</param>
internal readonly record struct InodeLocation(BlockGroup Group, uint Index, uint TableBlock, int OffsetInBlock);
