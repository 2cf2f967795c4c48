namespace Penstock.Ext4.Format;

/// <summary>The file type in the top four bits of i_mode.</summary>
internal enum InodeKind : ushort
{
    None = 0,
    Fifo = 0x1000,
    CharacterDevice = 0x2000,
    Directory = 0x4000,
    BlockDevice = 0x6000,
    Regular = 0x8000,
    SymbolicLink = 0xA000,
    Socket = 0xC000,
}
