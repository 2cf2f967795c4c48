namespace Penstock.Files;

/// <summary>The flags of an inode that the layer above every format knows. A format maps its own bits to these.</summary>
[Flags]
internal enum FileFlags
{
    None = 0,

    /// <summary>Nothing of the file may change (chattr +i).</summary>
    Immutable = 1,

    /// <summary>The file may only grow at its end (chattr +a).</summary>
    AppendOnly = 2,

    /// <summary>Access times are not recorded (chattr +A).</summary>
    NoAccessTime = 4,

    /// <summary>Every write is synchronous (chattr +S).</summary>
    Synchronous = 8,

    /// <summary>Data goes through the journal, so direct I/O goes the buffered way (Rule 2.8).</summary>
    DataJournalled = 16,

    /// <summary>The content is encrypted and we have no key: it cannot be read or written.</summary>
    Encrypted = 32,

    /// <summary>The content is sealed by fs-verity: it can be read, never written.</summary>
    Verity = 64,
}
