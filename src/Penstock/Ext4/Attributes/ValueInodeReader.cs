using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <summary>Reads the value of an extended attribute from the inode that holds it (ea_inode).</summary>
internal static class ValueInodeReader
{
    private const uint MaxValueSize = 65536;

    /// <exception cref="CorruptVolumeException">The inode is not one that holds this value.</exception>
    public static async ValueTask<byte[]> ReadAsync(Ext4Inode holder, Ext4Inode user, StoredAttribute attribute)
    {
        bool isHolder = holder.Is(InodeFlags.ExtendedAttributeInode) && holder.Mapper is not null;
        Require(isHolder, user, "e_value_inum", $"{attribute.ValueInode}, which holds no attribute");
        bool isSized = attribute.ValueSize <= MaxValueSize && holder.Size == attribute.ValueSize;
        Require(isSized, user, "e_value_size", $"{attribute.ValueSize}, but {holder} has {holder.Size} bytes");
        byte[] value = new byte[attribute.ValueSize];
        int blockSize = holder.Volume.Geometry.BlockSize;
        for (int done = 0; done < value.Length; done += blockSize)
        {
            var at = new FileBlock((ulong)(done / blockSize));
            BlockRun run = await holder.Mapper!.MapAsync(at, 1).ConfigureAwait(false);
            Require(run.State == MapState.Mapped, holder, "block map", $"no written block for {at}");
            MetadataBlock block = await holder.Volume.Cache.GetAsync(run.Volume).ConfigureAwait(false);
            block.Bytes[..Math.Min(blockSize, value.Length - done)].CopyTo(value.AsSpan(done));
            block.Unpin();
        }

        uint hash = AttributeValueInode.ComputeHash(value, holder.Volume.Checksum.Seed);
        uint stored = AttributeValueInode.ReadHash(holder.Record);
        Require(!holder.Volume.Checksum.IsUsed || stored == hash, holder, "value hash", $"0x{stored:x8}, computed 0x{hash:x8}");
        return value;
    }

    private static void Require(bool holds, Ext4Inode inode, string field, string value)
    {
        if (!holds)
        {
            throw new CorruptVolumeException("attribute", inode.ToString(), field, value);
        }
    }
}
