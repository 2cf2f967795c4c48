using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>What a block mapper needs of the inode whose blocks it maps.</summary>
/// <remarks>
/// <see cref="BlockField"/> is read and changed under the mapper's lock only. Whoever stores the inode meanwhile for another reason finds
/// it before a change or after it, never half-way: it is replaced as a whole, under the latch of the inode's record.
/// </remarks>
internal interface IBlockMapOwner
{
    InodeNumber Number { get; }

    /// <summary>i_generation: seeds the checksums of the inode's blocks.</summary>
    uint Generation { get; }

    /// <summary>Whether what lies in the blocks is metadata, changed in handles: names, the target of a link, the value of an attribute.</summary>
    bool HasMetadataContent { get; }

    /// <summary>i_block: 60 bytes.</summary>
    ReadOnlySpan<byte> BlockField { get; }

    /// <summary>Replaces i_block; the next <see cref="StoreAsync"/> stores it.</summary>
    void SetBlockField(ReadOnlySpan<byte> field);

    /// <summary>The size in bytes, a hint for where and how much to allocate.</summary>
    long Size { get; }

    /// <summary>Whether somebody has the file open for writing, so that it may go on growing: a hint for how much to allocate.</summary>
    bool HasWriters { get; }

    /// <summary>Adds to i_blocks, in units of 512 bytes; the next <see cref="StoreAsync"/> stores it. Any thread.</summary>
    void AddSectors(long delta);

    /// <summary>Stores the inode with its i_block in <paramref name="handle"/>: one credit.</summary>
    ValueTask StoreAsync(Handle handle);
}
