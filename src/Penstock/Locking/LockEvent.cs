namespace Penstock.Locking;

internal enum LockEventKind : byte
{
    Acquired,
    Released,
    Note,
}

/// <summary>One line of a lock trace.</summary>
internal readonly record struct LockEvent(LockEventKind Kind, LockRank Rank, object? Target, bool IsExclusive, string? Text)
{
    public override string ToString() => Kind == LockEventKind.Note ? Text! : $"{Kind} {Rank}{(IsExclusive ? " exclusively" : " shared")}";
}
