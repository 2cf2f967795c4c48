namespace Penstock.Ext4.Attributes;

/// <summary>What the attributes of an inode will be after a change.</summary>
/// <param name="Body">Those in the inode.</param>
/// <param name="Block">Those in the block.</param>
/// <param name="ChangesBody">Whether those in the inode differ.</param>
/// <param name="ChangesBlock">Whether those in the block differ.</param>
/// <param name="Removed">The entry that goes, if one does.</param>
/// <param name="WasInBlock">Whether it is in the block.</param>
internal sealed record AttributePlan(
    List<StoredAttribute> Body, List<StoredAttribute> Block, bool ChangesBody, bool ChangesBlock, StoredAttribute? Removed, bool WasInBlock);
