namespace Penstock.Stress.Fsx;

/// <summary>What an operation of a test run does. The names in logs and options are these words, in lower case and hyphenated.</summary>
internal enum OperationKind
{
    Write,
    Read,
    Append,
    MapWrite,
    MapRead,
    Truncate,
    Allocate,
    AllocateKeep,
    Zero,
    ZeroKeep,
    Punch,
    Collapse,
    Insert,
    Copy,
    Seek,
    Sync,
    DataSync,
    Reopen,
    Drop,
    Remount,
}

/// <summary>Questions about kinds.</summary>
internal static class OperationKinds
{
    public static IReadOnlyList<OperationKind> All { get; } = Enum.GetValues<OperationKind>();

    /// <summary>Whether it carries bytes of the caller, and so has modes.</summary>
    public static bool IsTransfer(this OperationKind kind) => kind is OperationKind.Write or OperationKind.Read or OperationKind.Append;

    /// <summary>Whether it may change bytes or the size.</summary>
    public static bool IsChange(this OperationKind kind) =>
        kind is not (OperationKind.Read or OperationKind.MapRead or OperationKind.Seek or >= OperationKind.Sync);

    /// <summary>What it asks of fallocate, or null.</summary>
    public static FileRangeChange? ToRangeChange(this OperationKind kind) => kind switch
    {
        OperationKind.Allocate => FileRangeChange.Allocate,
        OperationKind.AllocateKeep => FileRangeChange.AllocateKeepingSize,
        OperationKind.Zero => FileRangeChange.Zero,
        OperationKind.ZeroKeep => FileRangeChange.ZeroKeepingSize,
        OperationKind.Punch => FileRangeChange.PunchHole,
        OperationKind.Collapse => FileRangeChange.Collapse,
        OperationKind.Insert => FileRangeChange.Insert,
        _ => null,
    };

    /// <summary>Whether a range and a size are all there is to say of it.</summary>
    public static bool HasRange(this OperationKind kind) => kind is not (OperationKind.Append or OperationKind.Truncate or OperationKind.Seek
        or OperationKind.Sync or OperationKind.DataSync or OperationKind.Reopen or OperationKind.Remount);

    /// <summary>The word for it.</summary>
    public static string ToWord(this OperationKind kind) => kind switch
    {
        OperationKind.MapWrite => "map-write",
        OperationKind.MapRead => "map-read",
        OperationKind.AllocateKeep => "allocate-keep",
        OperationKind.ZeroKeep => "zero-keep",
        _ => kind.ToString().ToLowerInvariant(),
    };
}
