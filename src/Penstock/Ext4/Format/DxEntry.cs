namespace Penstock.Ext4.Format;

/// <summary>An entry of an index block (dx_entry): names hashing to <paramref name="Hash"/> and more lie below <paramref name="Block"/>.</summary>
/// <param name="Hash">hash. Its lowest bit says that the hash before it continues here: one hash fills several blocks.</param>
/// <param name="Block">block: a block of the directory's file.</param>
internal readonly record struct DxEntry(uint Hash, uint Block)
{
    public const int Size = 8;

    /// <summary>The upper four bits of a block number are kept for other uses.</summary>
    public const uint BlockMask = 0x0FFFFFFF;
}
