namespace Penstock;

/// <summary>What the journal of a volume does for the data of files (Linux's <c>data=</c>).</summary>
public enum DataMode
{
    /// <summary>Data is on the device before a change that leads to it is committed: no file shows another's old bytes after a crash.</summary>
    Ordered,

    /// <summary>
    /// The journal keeps metadata only. After a crash a file without extents may show what its newest blocks held before; what was fsynced is there as in every mode.
    /// </summary>
    Writeback,

    /// <summary>
    /// Data goes through the log like metadata, in the order in which it was written: a write of one block is there after a crash as a whole or not at all. Direct I/O goes
    /// through the cache.
    /// </summary>
    Journal,
}
