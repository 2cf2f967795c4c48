using Penstock.Files;
using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Mounting;

/// <summary>Attributes of an inode in the three forms the wire has for them.</summary>
internal static class WireAttributes
{
    private const uint StatxImmutable = 0x10;
    private const uint StatxAppend = 0x20;
    private const uint StatxEncrypted = 0x800;
    private const uint StatxVerity = 0x100000;

    public static FuseAttr ToFuseAttr(Inode inode)
    {
        InodeAttributes attributes = inode.Attributes;
        return new FuseAttr
        {
            Inode = inode.Number.Value,
            Size = (ulong)inode.Size,
            Blocks = inode.SectorsTold,
            AccessTime = attributes.AccessTime.Seconds,
            ModifyTime = attributes.ModifyTime.Seconds,
            ChangeTime = attributes.ChangeTime.Seconds,
            AccessNanoseconds = (uint)attributes.AccessTime.Nanoseconds,
            ModifyNanoseconds = (uint)attributes.ModifyTime.Nanoseconds,
            ChangeNanoseconds = (uint)attributes.ChangeTime.Nanoseconds,
            Mode = attributes.Mode,
            Links = attributes.Links,
            Uid = attributes.UserId,
            Gid = attributes.GroupId,
            Device = ToWireDevice(attributes.DeviceNumber),
            BlockSize = (uint)inode.FileSystem.BlockSize,
        };
    }

    public static FuseStatx ToStatx(Inode inode)
    {
        InodeAttributes attributes = inode.Attributes;
        (uint major, uint minor) = SplitDevice(attributes.DeviceNumber);
        return new FuseStatx
        {
            Mask = FuseStatx.BasicStats | FuseStatx.BirthTimeMask,
            BlockSize = (uint)inode.FileSystem.BlockSize,
            Attributes = ToStatxAttributes(attributes.Flags),
            AttributesMask = StatxImmutable | StatxAppend | StatxEncrypted | StatxVerity,
            Links = attributes.Links,
            Uid = attributes.UserId,
            Gid = attributes.GroupId,
            Mode = attributes.Mode,
            Inode = inode.Number.Value,
            Size = (ulong)inode.Size,
            Blocks = inode.SectorsTold,
            AccessTime = ToStatxTime(attributes.AccessTime),
            BirthTime = ToStatxTime(attributes.BirthTime),
            ChangeTime = ToStatxTime(attributes.ChangeTime),
            ModifyTime = ToStatxTime(attributes.ModifyTime),
            DeviceMajor = major,
            DeviceMinor = minor,
        };
    }

    public static Timestamp ToTimestamp(long seconds, uint nanoseconds) =>
        nanoseconds < Timestamp.NanosecondsPerSecond
            ? new Timestamp(seconds, (int)nanoseconds)
            : throw new FileSystemException(IoFault.InvalidArgument);

    /// <summary>DT_*, as directory entries carry it.</summary>
    public static uint ToDirentType(FileKind kind) => (uint)ModeBits.FromKind(kind) >> 12;

    private static FuseStatxTime ToStatxTime(Timestamp time) =>
        new() { Seconds = time.Seconds, Nanoseconds = (uint)time.Nanoseconds };

    private static ulong ToStatxAttributes(FileFlags flags) =>
        ((flags & FileFlags.Immutable) != 0 ? StatxImmutable : 0u)
        | ((flags & FileFlags.AppendOnly) != 0 ? StatxAppend : 0u)
        | ((flags & FileFlags.Encrypted) != 0 ? StatxEncrypted : 0u)
        | ((flags & FileFlags.Verity) != 0 ? StatxVerity : 0u);

    /// <summary>new_encode_dev: the low 8 bits of the minor, 12 of the major, the rest of the minor. The core keeps the same form.</summary>
    private static uint ToWireDevice(ulong device) => (uint)device;

    private static (uint Major, uint Minor) SplitDevice(ulong device) =>
        ((uint)(device >> 8) & 0xfff, (uint)(device & 0xff) | (uint)((device >> 12) & 0xfff00));
}
