namespace Penstock.Outside.Fuzz;

/// <summary>What a piece of metadata is.</summary>
internal enum MetadataKind
{
    Superblock,
    Descriptor,
    BlockBitmap,
    InodeBitmap,
    Inode,
    ExtentNode,
    IndirectBlock,
    DirectoryBlock,
    HashNode,
    AttributeBlock,
    OrphanBlock,
    QuotaBlock,
    JournalSuperblock,
    MultipleMount,
}

/// <summary>A piece of metadata in an image: where it is, and what its checksum hangs on.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Offset">Where it begins, in bytes.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Number">Its group, its inode, or the block it lies in.</param>
/// <param name="Seed">The seed of the inode it belongs to.</param>
internal readonly record struct MetadataUnit(MetadataKind Kind, int Offset, int Length, uint Number, uint Seed)
{
    public Span<byte> In(byte[] image) => image.AsSpan(Offset, Length);
}
