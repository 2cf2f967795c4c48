namespace Penstock.Ext4.Format;

/// <summary>The file_type of a directory entry, and the mark of the checksum entry.</summary>
internal enum DirectoryFileType : byte
{
    Unknown = 0,
    Regular = 1,
    Directory = 2,
    CharacterDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    SymbolicLink = 7,
    ChecksumTail = 0xDE,
}
