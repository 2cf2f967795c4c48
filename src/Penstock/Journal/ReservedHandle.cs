namespace Penstock.Journal;

/// <summary>Credits set aside by <see cref="MetadataJournal.ReserveAsync"/>: either begun, once, or given back.</summary>
internal abstract class ReservedHandle
{
    /// <summary>Begins the change; waits for nothing.</summary>
    public abstract Handle Begin();

    /// <summary>Gives the credits back unused.</summary>
    public abstract void Cancel();
}
