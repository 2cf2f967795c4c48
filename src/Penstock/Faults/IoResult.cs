namespace Penstock;

/// <summary>The outcome of one transfer: the first <paramref name="Bytes"/> bytes were transferred; then the fault, if any.</summary>
/// <param name="Bytes">How many bytes were transferred, counted from the start of the request without a gap.</param>
/// <param name="Fault">What stopped the transfer, or <see cref="IoFault.None"/>.</param>
public readonly record struct IoResult(long Bytes, IoFault Fault)
{
    /// <summary>Whether the transfer was stopped by a fault.</summary>
    public bool IsFailed => Fault != IoFault.None;

    /// <summary>A transfer of <paramref name="bytes"/> bytes without a fault.</summary>
    public static IoResult Transferred(long bytes) => new(bytes, IoFault.None);

    /// <summary>A transfer that failed before its first byte.</summary>
    public static IoResult Failed(IoFault fault) => new(0, fault);
}
