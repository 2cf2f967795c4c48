namespace Penstock.Journal;

/// <summary>How bringing a transaction to the device ended.</summary>
/// <param name="Fault">What stopped it, or None.</param>
/// <param name="IsFinal">Whether no later attempt may succeed: the journal is aborted.</param>
/// <param name="Offset">Where the device failed, in bytes, or -1.</param>
/// <param name="Step">What failed: "metadata could not be written".</param>
internal readonly record struct StoreOutcome(IoFault Fault, bool IsFinal, long Offset, string? Step)
{
    public bool IsFailed => Fault != IoFault.None;

    /// <summary>A full host is no failure of the device: what was not written stays dirty, and room may be made.</summary>
    public static StoreOutcome OfWrite(IoFault fault, long offset) => fault == IoFault.None
        ? default
        : new StoreOutcome(fault, fault != IoFault.NoSpace, offset, "metadata could not be written");

    /// <summary>A failed flush is final whatever its reason: what it should have kept may be gone.</summary>
    public static StoreOutcome OfFlush(IoFault fault) => fault == IoFault.None
        ? default
        : new StoreOutcome(fault, IsFinal: true, -1, "the device could not be flushed");

    /// <summary>Both together: the worse one counts, of equals the first.</summary>
    public StoreOutcome And(StoreOutcome other) => IsFailed && (IsFinal || !other.IsFinal) ? this : other;
}
