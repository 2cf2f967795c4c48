using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>The seeds of a metadata_csum volume: everything that belongs to an inode is seeded with its number and generation.</summary>
/// <param name="IsUsed">Whether the volume has metadata_csum.</param>
/// <param name="Seed">The volume's seed.</param>
internal readonly record struct MetadataChecksum(bool IsUsed, uint Seed)
{
    public MetadataChecksum(Superblock superblock)
        : this(superblock.HasMetadataChecksums, superblock.ChecksumSeed)
    {
    }

    /// <summary>The seed of an inode and of its extent, directory and orphan-file blocks.</summary>
    public uint SeedOf(InodeNumber inode, uint generation) => Crc32C.Append(Crc32C.Append(Seed, (uint)inode.Value), generation);
}
