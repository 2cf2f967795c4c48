namespace Penstock.Journal;

/// <summary>The journal of a volume that may not be written: the cache works, every change is refused.</summary>
/// <param name="cache">The blocks; disposed with the journal.</param>
/// <param name="reason">Why, for the message of the exception.</param>
internal sealed class ReadOnlyJournal(VolumeMetadataCache cache, string reason) : MetadataJournal
{
    /// <inheritdoc/>
    public override MetadataCache Cache => cache;

    /// <inheritdoc/>
    public override TransactionId Running => default;

    /// <inheritdoc/>
    public override bool IsAborted => false;

    /// <inheritdoc/>
    public override ValueTask<Handle> BeginAsync(int credits) => throw CreateRefusal();

    /// <inheritdoc/>
    public override ValueTask<ReservedHandle> ReserveAsync(int credits) => throw CreateRefusal();

    /// <inheritdoc/>
    public override ValueTask CommitAsync(TransactionId transaction) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public override void StartCommit()
    {
    }

    /// <inheritdoc/>
    public override void Abort(IoFault reason)
    {
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => cache.DisposeAsync();

    /// <inheritdoc/>
    public override void Abandon() => cache.Abandon();

    private FileSystemException CreateRefusal() => new(IoFault.ReadOnly, $"{cache.Device.Name}: read-only ({reason})");
}
