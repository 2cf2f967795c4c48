using Penstock.Ext4.Format;

namespace Penstock.Ext4.Directories;

/// <summary>Between the file type of a directory entry and ours.</summary>
internal static class EntryKind
{
    public static DirectoryFileType ToType(FileKind kind) => kind switch
    {
        FileKind.Regular => DirectoryFileType.Regular,
        FileKind.Directory => DirectoryFileType.Directory,
        FileKind.CharacterDevice => DirectoryFileType.CharacterDevice,
        FileKind.BlockDevice => DirectoryFileType.BlockDevice,
        FileKind.Pipe => DirectoryFileType.Fifo,
        FileKind.Socket => DirectoryFileType.Socket,
        FileKind.SymbolicLink => DirectoryFileType.SymbolicLink,
        _ => DirectoryFileType.Unknown,
    };

    public static FileKind FromType(DirectoryFileType type) => type switch
    {
        DirectoryFileType.Regular => FileKind.Regular,
        DirectoryFileType.Directory => FileKind.Directory,
        DirectoryFileType.CharacterDevice => FileKind.CharacterDevice,
        DirectoryFileType.BlockDevice => FileKind.BlockDevice,
        DirectoryFileType.Fifo => FileKind.Pipe,
        DirectoryFileType.Socket => FileKind.Socket,
        DirectoryFileType.SymbolicLink => FileKind.SymbolicLink,
        _ => FileKind.Unknown,
    };
}
