namespace Penstock;

/// <summary>How an open file, or one request on it, does its I/O. A request's options are taken once, when it begins (a later change does not reach it).</summary>
[Flags]
public enum IoOptions
{
    /// <summary>Through the page cache; durable after <see cref="OpenFile.FlushAsync"/>.</summary>
    None = 0,

    /// <summary>
    /// Straight between the caller's memory and the device (O_DIRECT). Offsets, lengths and memory must be aligned as
    /// <see cref="OpenFile.DirectAlignment"/> and <see cref="OpenFile.DirectMemoryAlignment"/> say; what is not aligned fails and changes nothing.
    /// </summary>
    Direct = 1,

    /// <summary>Every write goes to the end of the file, wherever that is then (O_APPEND); the offset is ignored.</summary>
    Append = 2,

    /// <summary>A write completes when its data, and what is needed to read it back, is on stable storage (O_DSYNC).</summary>
    DataSync = 4,

    /// <summary>As <see cref="DataSync"/>, with all attributes (O_SYNC).</summary>
    Sync = 8,

    /// <summary>Reads do not touch the access time (O_NOATIME).</summary>
    NoAccessTime = 16,

    /// <summary>
    /// The continuation of an awaited request may run on the thread that reaps completions: the fastest way, for code that neither blocks
    /// nor computes for long there. Without it, continuations run on the runtime's pool or the caller's context.
    /// </summary>
    ContinueOnReapingThread = 32,
}
