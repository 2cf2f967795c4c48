namespace Penstock.Files;

/// <summary>The bits of <c>st_mode</c>, as POSIX and Linux number them.</summary>
internal static class ModeBits
{
    public const ushort KindMask = 0xF000;
    public const ushort PermissionMask = 0x0FFF;
    public const ushort SetUid = 0x800;
    public const ushort SetGid = 0x400;
    public const ushort Sticky = 0x200;
    public const ushort GroupExecute = 0x008;
    public const ushort AnyExecute = 0x049;

    public static FileKind ToKind(ushort mode) => (mode & KindMask) switch
    {
        0x1000 => FileKind.Pipe,
        0x2000 => FileKind.CharacterDevice,
        0x4000 => FileKind.Directory,
        0x6000 => FileKind.BlockDevice,
        0x8000 => FileKind.Regular,
        0xA000 => FileKind.SymbolicLink,
        0xC000 => FileKind.Socket,
        _ => FileKind.Unknown,
    };

    public static ushort FromKind(FileKind kind) => kind switch
    {
        FileKind.Pipe => 0x1000,
        FileKind.CharacterDevice => 0x2000,
        FileKind.Directory => 0x4000,
        FileKind.BlockDevice => 0x6000,
        FileKind.Regular => 0x8000,
        FileKind.SymbolicLink => 0xA000,
        FileKind.Socket => 0xC000,
        _ => 0,
    };
}
