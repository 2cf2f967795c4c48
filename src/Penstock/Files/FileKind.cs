namespace Penstock;

/// <summary>What a directory entry leads to.</summary>
public enum FileKind : byte
{
    /// <summary>Not known, or not any of the others.</summary>
    Unknown = 0,

    /// <summary>A regular file.</summary>
    Regular,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A named pipe.</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>A symbolic link.</summary>
    SymbolicLink,
}
