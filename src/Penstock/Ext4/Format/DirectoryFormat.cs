namespace Penstock.Ext4.Format;

/// <summary>What the features of a volume and the flags of a directory make of its entries.</summary>
/// <param name="InodeCount">s_inodes_count.</param>
/// <param name="HasFileType">Whether entries carry a file type (filetype); otherwise that byte is the high half of name_len.</param>
/// <param name="HasChecksum">Whether blocks end with a checksum (metadata_csum).</param>
/// <param name="HasEncryptedNames">Whether names are ciphertext, in which any byte may occur.</param>
/// <param name="HasStoredHash">Whether entries end with their hash: in directories both casefolded and encrypted.</param>
internal readonly record struct DirectoryFormat(uint InodeCount, bool HasFileType, bool HasChecksum, bool HasEncryptedNames, bool HasStoredHash)
{
    public DirectoryFormat(Superblock superblock, InodeFlags flags)
        : this(
            superblock.InodeCount,
            superblock.Has(IncompatFeatures.FileType),
            superblock.HasMetadataChecksums,
            (flags & InodeFlags.Encrypted) != 0,
            (flags & InodeFlags.CaseFold) != 0 && (flags & InodeFlags.Encrypted) != 0)
    {
    }

    /// <summary>Bytes after the name: the hash and its minor half.</summary>
    public int StoredHashSize => HasStoredHash ? 8 : 0;

    /// <summary>Bytes of a block that entries may use.</summary>
    public int UsableBytes(int blockSize) => HasChecksum ? blockSize - DirectoryTail.Size : blockSize;
}
