namespace Penstock.Journal;

/// <summary>Data that must have landed before a transaction is committed: see <see cref="Handle.ClaimData"/>. Released once.</summary>
internal sealed class DataClaim(TransactionalJournal journal, Transaction transaction)
{
    /// <summary>The data has landed, or failed to. Waits for nothing.</summary>
    public void Release() => journal.EndData(transaction);
}
