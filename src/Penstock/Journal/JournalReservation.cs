namespace Penstock.Journal;

/// <summary>A reservation of a <see cref="TransactionalJournal"/>. Pooled by its journal.</summary>
internal sealed class JournalReservation(TransactionalJournal journal) : ReservedHandle
{
    private int _credits = -1;

    /// <summary>Called by the journal.</summary>
    public void Fill(int credits) => _credits = credits;

    /// <inheritdoc/>
    public override Handle Begin() => journal.BeginReserved(Take(), this);

    /// <inheritdoc/>
    public override void Cancel()
    {
        Take();
        journal.Return(this);
    }

    private int Take()
    {
        int credits = _credits;
        if (credits < 0)
        {
            throw new InvalidOperationException("A reservation is begun or cancelled once.");
        }

        _credits = -1;
        return credits;
    }
}
