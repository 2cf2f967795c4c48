using System.Runtime.InteropServices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The changes that reach the device together: running (handles join) → closed (newcomers join the next one; its own go on) → stored →
/// committed. Guarded by the journal's latch. A log adds the blocks it has frozen and where in the log it lies.
/// </summary>
internal sealed class Transaction(TransactionId id)
{
    private readonly List<FreedRun> _freed = [];

    public TransactionId Id { get; } = id;

    /// <summary>How many of its handles are open.</summary>
    public int OpenHandles { get; set; }

    /// <summary>Whether a handle ever joined: without any there is nothing to commit.</summary>
    public bool IsUsed { get; set; }

    /// <summary>Whether newcomers join the next transaction.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Told when the last handle of the closed transaction stops.</summary>
    public PooledCompletion<bool>? Drained { get; set; }

    /// <summary>The blocks that its handles freed (invariant 3.5).</summary>
    public ReadOnlySpan<FreedRun> Freed => CollectionsMarshal.AsSpan(_freed);

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

    /// <summary>Takes over what a transaction freed that could not be committed: it waits for this one.</summary>
    public void AddFreed(Transaction failed)
    {
        _freed.AddRange(failed._freed);
        IsUsed |= failed.IsUsed;
    }
}

/// <summary>Consecutive blocks that were freed.</summary>
internal readonly record struct FreedRun(VolumeBlock First, ulong Count);
