namespace Penstock.Uring;

/// <summary>The modes of fallocate(2).</summary>
[Flags]
internal enum RangeChange
{
    /// <summary>Allocate, and extend the size where the range goes beyond it.</summary>
    Allocate = 0,

    /// <summary>FALLOC_FL_KEEP_SIZE.</summary>
    KeepSize = 0x01,

    /// <summary>FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE: give the storage back; the range reads as zeros.</summary>
    PunchHole = 0x02 | KeepSize,

    /// <summary>FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE: the range reads as zeros and stays allocated.</summary>
    ZeroRange = 0x10 | KeepSize,

    /// <summary>FALLOC_FL_ZERO_RANGE, which extends the size where the range goes beyond it.</summary>
    ZeroRangeAndExtend = 0x10,

    /// <summary>FALLOC_FL_COLLAPSE_RANGE: take whole blocks out of the file.</summary>
    Collapse = 0x08,

    /// <summary>FALLOC_FL_INSERT_RANGE: put a hole of whole blocks in.</summary>
    Insert = 0x20,
}

/// <summary>The per-call flags of vectored reads and writes (RWF_*).</summary>
[Flags]
internal enum TransferFlags
{
    None = 0,

    /// <summary>RWF_DSYNC: complete when the data is on stable storage.</summary>
    DataSync = 2,

    /// <summary>RWF_NOWAIT: fail with EAGAIN rather than wait.</summary>
    NoWait = 8,
}

/// <summary>The kinds of advisory lock.</summary>
internal enum FileLockKind
{
    Shared,
    Exclusive,
}
