namespace Penstock.Testing.InMemory;

/// <summary>How a file of the in-memory file system is mapped and locked.</summary>
internal enum MemoryFileKind
{
    /// <summary>Extents: new blocks are unwritten until their data has landed.</summary>
    Extents,

    /// <summary>Block-mapped, as in ext2 and ext3: a block is there or it is not.</summary>
    BlockMapped,

    /// <summary>Extents, and content in the inode while it is small.</summary>
    Inline,

    /// <summary>Protects itself (Rule 1.9): the no-locking way through the direct I/O engine.</summary>
    ProtectsItself,

    /// <summary>Brings direct I/O of its own (Rule 1.23).</summary>
    OwnDirectIo,
}
