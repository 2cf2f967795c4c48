namespace Penstock.Journal;

/// <summary>Data that must have landed before a transaction is committed: see <see cref="Handle.ClaimData"/>. Ended once.</summary>
/// <param name="journal">The journal.</param>
/// <param name="transaction">The transaction; null where commits wait for no data.</param>
internal sealed class DataClaim(TransactionalJournal journal, Transaction? transaction)
{
    /// <summary>Whether a commit waits for it.</summary>
    public bool HoldsCommit => transaction is not null;

    /// <summary>
    /// The data has landed; or, with a fault, the device has refused it: then the transaction is not committed, since its blocks hold what others left there, and no change is
    /// taken any more. Waits for nothing.
    /// </summary>
    public void End(IoFault fault)
    {
        if (transaction is not null)
        {
            journal.EndData(transaction, fault);
        }
    }
}
