using System.Runtime.InteropServices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The changes that reach the device together: running (handles join) → closed (newcomers join the next one; its own go on) → stored →
/// committed. Guarded by the journal's latch until it is stored.
/// </summary>
internal sealed class Transaction(TransactionId id)
{
    private readonly List<FreedRun> _freed = [];
    private readonly HashSet<ulong> _revoked = [];

    public TransactionId Id { get; } = id;

    /// <summary>How many of its handles are open.</summary>
    public int OpenHandles { get; set; }

    /// <summary>Whether a handle ever joined: without any there is nothing to commit.</summary>
    public bool IsUsed { get; set; }

    /// <summary>Whether newcomers join the next transaction.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Whether a handle joined since the client's last one began: what that one stored may be out of date.</summary>
    public bool HasLateHandles { get; set; }

    /// <summary>How many writes of file data must have landed before it is committed.</summary>
    public int DataInFlight { get; set; }

    /// <summary>Why data of that kind did not land; None while all of it has.</summary>
    public IoFault DataFault { get; set; }

    /// <summary>Told when the last of that data has landed.</summary>
    public PooledCompletion<bool>? DataLanded { get; set; }

    /// <summary>Told when the last handle of the closed transaction stops.</summary>
    public PooledCompletion<bool>? Drained { get; set; }

    /// <summary>The blocks that its handles freed (invariant 3.5).</summary>
    public ReadOnlySpan<FreedRun> Freed => CollectionsMarshal.AsSpan(_freed);

    /// <summary>The blocks that were metadata and were freed: what the log has of them must not be replayed.</summary>
    public IReadOnlyCollection<ulong> Revoked => _revoked;

    public void Revoke(VolumeBlock block) => _revoked.Add(block.Value);

    /// <summary>The block is metadata again.</summary>
    public void CancelRevoke(VolumeBlock block) => _revoked.Remove(block.Value);

    public void AddFreed(VolumeBlock first, ulong count)
    {
        if (_freed.Count > 0 && _freed[^1] is var last && last.First + last.Count == first)
        {
            _freed[^1] = last with { Count = last.Count + count };
        }
        else
        {
            _freed.Add(new FreedRun(first, count));
        }
    }

    /// <summary>Takes over what a transaction freed and revoked that could not be committed: it waits for this one.</summary>
    public void TakeOver(Transaction failed)
    {
        _freed.AddRange(failed._freed);
        _revoked.UnionWith(failed._revoked);
        IsUsed |= failed.IsUsed;
    }
}

/// <summary>Consecutive blocks that were freed.</summary>
internal readonly record struct FreedRun(VolumeBlock First, ulong Count);
