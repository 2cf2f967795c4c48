using Penstock.Files;

namespace Penstock.Ext4.Format;

/// <summary>An inode that holds one attribute's value (ea_inode): its times carry the value's hash and how many entries refer to it.</summary>
internal static class AttributeValueInode
{
    /// <summary>The CRC-32C of the value from the volume's seed on; kept in i_atime.</summary>
    public static uint ComputeHash(ReadOnlySpan<byte> value, uint volumeSeed) => Crc32C.Append(volumeSeed, value);

    public static uint ReadHash(InodeRecord inode) => (uint)inode.Accessed.Seconds;

    public static void WriteHash(InodeRecord inode, uint hash) => inode.Accessed = new Timestamp((int)hash);

    /// <summary>i_ctime above l_i_version.</summary>
    public static ulong ReadReferenceCount(InodeRecord inode) => ((ulong)(uint)inode.Changed.Seconds << 32) | (uint)inode.Version;

    public static void WriteReferenceCount(InodeRecord inode, ulong count)
    {
        inode.Changed = new Timestamp((int)(count >> 32));
        inode.Version = (inode.Version & ~(ulong)uint.MaxValue) | (uint)count;
    }
}
