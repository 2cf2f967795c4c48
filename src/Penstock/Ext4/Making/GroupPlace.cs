using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>Where a group's bitmaps and inode table lie.</summary>
internal readonly record struct GroupPlace(VolumeBlock BlockBitmap, VolumeBlock InodeBitmap, VolumeBlock InodeTable);
