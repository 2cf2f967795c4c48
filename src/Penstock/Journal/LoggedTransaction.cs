using Penstock.Journal.Format;

namespace Penstock.Journal;

/// <summary>A committed transaction that is still in the log.</summary>
/// <param name="Id">The transaction.</param>
/// <param name="Sequence">Its number in the log.</param>
/// <param name="First">The block of the journal where it begins.</param>
/// <param name="Length">How many blocks it takes there.</param>
internal sealed record LoggedTransaction(TransactionId Id, LogSequence Sequence, uint First, uint Length)
{
    /// <summary>How many blocks have their newest copy in it and are not in their places. Guarded by the cache's latch.</summary>
    public int BlocksLeft { get; set; }
}
