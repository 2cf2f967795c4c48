using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>A handle of a <see cref="TransactionalJournal"/>. Pooled by its journal.</summary>
internal sealed class JournalHandle(TransactionalJournal journal) : Handle
{
    /// <summary>Beyond this many blocks the set's memory is not worth keeping in the pool.</summary>
    private const int LargeSet = 4096;

    private HashSet<VolumeBlock> _touched = [];
    private Transaction? _transaction;
    private int _creditsLeft;
    private bool _isStopped = true;
    private bool _isReserved;

    /// <inheritdoc/>
    public override TransactionId Transaction => Joined.Id;

    /// <inheritdoc/>
    public override int CreditsLeft => _creditsLeft;

    /// <summary>Whether its credits were reserved, and so are not counted against the room for others.</summary>
    public bool IsReserved => _isReserved;

    /// <summary>The transaction it has joined.</summary>
    private Transaction Joined =>
        _transaction ?? throw new InvalidOperationException("The handle was stopped, or its restart failed.");

    /// <summary>Called by the journal, under its latch.</summary>
    public void Join(Transaction transaction, int credits, bool isReserved)
    {
        _transaction = transaction;
        _creditsLeft = credits;
        _isReserved = isReserved;
        _isStopped = false;
    }

    /// <inheritdoc/>
    public override BlockEdit Edit(MetadataBlock block)
    {
        Transaction transaction = Joined;
        journal.RequireNotAborted();
        bool isFirst = !_touched.Contains(block.Number);
        if (isFirst)
        {
            Touch(block);
        }

        // The block's latch first: a commit that copies the block before this note finds it dirty again, one after it waits for the edit.
        var edit = new BlockEdit(block);
        try
        {
            journal.VolumeCache.MarkDirty(block, transaction.Id);
            journal.CancelRevoke(transaction, block.Number);
        }
        catch
        {
            edit.Dispose();
            throw;
        }
        finally
        {
            // After the block is counted as dirty: in between it takes room twice rather than none.
            if (isFirst && !_isReserved)
            {
                journal.Spent();
            }
        }

        return edit;
    }

    /// <inheritdoc/>
    public override void Forget(VolumeBlock block) => journal.Forget(Joined, block);

    /// <inheritdoc/>
    public override void Freed(VolumeBlock first, ulong count) => journal.AddFreed(Joined, first, count);

    /// <inheritdoc/>
    public override DataClaim? ClaimData() => journal.ClaimData(Joined);

    /// <inheritdoc/>
    public override void PutData(VolumeBlock block, ReadOnlySpan<byte> content)
    {
        MetadataBlock target = journal.VolumeCache.TryGet(block) ?? journal.VolumeCache.GetNew(block);
        try
        {
            journal.NoteData(block);
            using BlockEdit edit = Edit(target);
            content.CopyTo(edit.Bytes);
        }
        finally
        {
            target.Unpin();
        }
    }

    /// <inheritdoc/>
    public override bool TryExtend(int credits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(credits);
        if (!journal.TryExtend(Joined, credits, _isReserved))
        {
            return false;
        }

        _creditsLeft += credits;
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask RestartAsync(int credits)
    {
        Leave();
        return journal.RejoinAsync(this, credits);
    }

    /// <inheritdoc/>
    public override void Stop()
    {
        if (_isStopped)
        {
            throw new InvalidOperationException("A handle is stopped once.");
        }

        // After a restart that failed it belongs to no transaction.
        if (_transaction is not null)
        {
            Leave();
        }

        _isStopped = true;
        journal.Return(this);
    }

    private void Leave()
    {
        Transaction transaction = Joined;
        int unspent = _creditsLeft;
        _transaction = null;
        _creditsLeft = 0;
        if (_touched.Count > LargeSet)
        {
            _touched = [];
        }

        _touched.Clear();
        journal.Leave(transaction, unspent, _isReserved);
    }

    private void Touch(MetadataBlock block)
    {
        if (_creditsLeft == 0)
        {
            throw new InvalidOperationException(
                $"A handle declared {_touched.Count} credits and now touches metadata {block.Number} too.");
        }

        _touched.Add(block.Number);
        _creditsLeft--;
    }
}
