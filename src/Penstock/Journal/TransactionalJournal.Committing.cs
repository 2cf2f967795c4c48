using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <content>The activity that commits: a transaction is closed, drained, sealed and stored.</content>
internal abstract partial class TransactionalJournal
{
    /// <summary>How often a transaction is closed anew because a reserved handle came in; after that its counts may be a little old.</summary>
    private const int MaxLastHandles = 8;

    /// <summary>Flushes the device's own cache. One call at a time.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    protected async ValueTask<StoreOutcome> FlushAsync()
    {
        long number = Interlocked.Increment(ref _flushesBegun);
        IoResult flushed = await VolumeCache.Device.FlushAsync().ConfigureAwait(false);
        if (!flushed.IsFailed)
        {
            Volatile.Write(ref _lastGoodFlush, number);
        }

        return StoreOutcome.OfFlush(flushed.Fault);
    }

    internal DataClaim? ClaimData(Transaction transaction)
    {
        if (!HoldsNewcomers || Scheduler.IsBroken(Rule.DataBeforeCommit))
        {
            return null;
        }

        if (!WaitsForData)
        {
            return new DataClaim(this, null);
        }

        lock (_latch)
        {
            transaction.DataInFlight++;
        }

        return new DataClaim(this, transaction);
    }

    internal void EndData(Transaction transaction, IoFault fault)
    {
        PooledCompletion<bool>? landed = null;
        lock (_latch)
        {
            transaction.DataFault = transaction.DataFault == IoFault.None ? fault : transaction.DataFault;
            if (--transaction.DataInFlight == 0)
            {
                (landed, transaction.DataLanded) = (transaction.DataLanded, null);
            }
        }

        landed?.Complete(true);
    }

    /// <summary>Latch held. Someone waits for room, and a commit would make some.</summary>
    private void WantCommitForRoom()
    {
        if (_room.HasWaiters && HasSomethingToCommit && !IsAborted)
        {
            WantCommit(_running.Id);
        }

        if (_room.HasWaiters)
        {
            WakeForUpkeep();
        }
    }

    /// <summary>Latch held.</summary>
    private void WantCommit(TransactionId transaction)
    {
        if (_commits.Want(transaction, _running.Id))
        {
            Scheduler.Start(RunAsync);
        }
    }

    /// <summary>Latch held.</summary>
    private void WakeForUpkeep()
    {
        if (!IsAborted && WantsUpkeep && _commits.Wake())
        {
            Scheduler.Start(RunAsync);
        }
    }

    /// <summary>Commits while somebody wants it, and does what else there is to do: one activity at a time (rule 1).</summary>
    private async Task RunAsync()
    {
        while (TryTakeWork(out Transaction? transaction))
        {
            if (transaction is not null)
            {
                StoreOutcome outcome = await CommitClosedAsync(transaction).ConfigureAwait(false);
                EndCommit(transaction, outcome);
            }
            else
            {
                EndUpkeep(await UpkeepAsync().ConfigureAwait(false));
            }
        }
    }

    /// <summary>False if there is nothing to do: the activity has ended. With a transaction, it is to be committed.</summary>
    private bool TryTakeWork(out Transaction? transaction)
    {
        lock (_latch)
        {
            transaction = null;
            if (!IsAborted && _commits.TryBegin(_running.Id))
            {
                transaction = _running;
                transaction.IsClosed = true;
                if (HoldsNewcomers)
                {
                    _room.Hold();
                }
                else
                {
                    _running = new Transaction(transaction.Id.Next);
                }

                return true;
            }

            if (!IsAborted && WantsUpkeep)
            {
                return true;
            }

            _commits.Rest();
            return false;
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<StoreOutcome> CommitClosedAsync(Transaction transaction)
    {
        StoreOutcome outcome = default;
        for (int i = 0; i == 0 || !TrySeal(transaction, isForced: i >= MaxLastHandles || outcome.IsFailed); i++)
        {
            await DrainAsync(transaction).ConfigureAwait(false);
            try
            {
                if (transaction.IsUsed && !outcome.IsFailed)
                {
                    await RunLastHandleAsync(transaction).ConfigureAwait(false);
                }
            }
            catch (FileSystemException e)
            {
                outcome = new StoreOutcome(e.Fault, IsFinal: true, -1, $"the last changes of {transaction.Id} could not be made ({e.Message})");
            }
        }

        await WaitForDataAsync(transaction).ConfigureAwait(false);
        if (!outcome.IsFailed && transaction.DataFault != IoFault.None && !Scheduler.IsBroken(Rule.RefusedDataEndsCommits))
        {
            outcome = new StoreOutcome(transaction.DataFault, IsFinal: true, -1, "the device refused the data of new blocks, which hold what others left there");
        }

        if (!outcome.IsFailed && !IsAborted)
        {
            return await StoreAsync(transaction).ConfigureAwait(false);
        }

        Unseal(transaction);
        return outcome.IsFailed ? outcome : _failedStore;
    }

    private ValueTask<bool> DrainAsync(Transaction transaction)
    {
        lock (_latch)
        {
            if (transaction.OpenHandles == 0)
            {
                return new ValueTask<bool>(true);
            }

            transaction.Drained = PooledCompletion<bool>.Rent(Scheduler);
            return transaction.Drained.Task;
        }
    }

    /// <summary>What is claimed waits for the device only.</summary>
    private ValueTask<bool> WaitForDataAsync(Transaction transaction)
    {
        lock (_latch)
        {
            if (transaction.DataInFlight == 0)
            {
                return new ValueTask<bool>(true);
            }

            transaction.DataLanded = PooledCompletion<bool>.Rent(Scheduler);
            return transaction.DataLanded.Task;
        }
    }

    /// <summary>Rule 3: from here on nothing changes in the transaction, and newcomers that were held may begin. False while a handle is open.</summary>
    private bool TrySeal(Transaction transaction, bool isForced)
    {
        lock (_latch)
        {
            if (transaction.OpenHandles > 0 || (transaction.HasLateHandles && !isForced))
            {
                return false;
            }

            if (HoldsNewcomers)
            {
                Seal(transaction);
                _running = new Transaction(transaction.Id.Next);
                _room.Release();
            }

            return true;
        }
    }

    /// <summary>Rule 3. Its credits are the journal's own: the commit waits for nobody.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask RunLastHandleAsync(Transaction transaction)
    {
        JournalHandle handle = _handles.Rent();
        lock (_latch)
        {
            JoinTo(transaction, handle, _client.CreditsBeforeCommit, isReserved: true);
            transaction.HasLateHandles = false;
        }

        RecordBegin();
        try
        {
            await _client.BeforeCommitAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }
    }

    private void EndCommit(Transaction transaction, StoreOutcome outcome)
    {
        if (!outcome.IsFailed)
        {
            // Rule 6. Before anybody hears of the commit, so that what it freed can be used by whoever waits for it.
            foreach (FreedRun run in transaction.Freed)
            {
                _client.FreedBlocksCommitted(run.First, run.Count);
            }
        }
        else if (outcome.IsFinal)
        {
            Abort(outcome);
        }

        lock (_latch)
        {
            if (outcome is { IsFailed: true, IsFinal: false })
            {
                _running.TakeOver(transaction);
                _alarm.Set(_interval);
                _room.FailAll(outcome.Fault);
            }

            _commits.End(transaction.Id, outcome);
            _room.Grant();
            WantCommitForRoom();
        }
    }

    private void EndUpkeep(StoreOutcome outcome)
    {
        if (outcome is { IsFailed: true, IsFinal: true })
        {
            Abort(outcome);
        }

        lock (_latch)
        {
            if (outcome.IsFailed)
            {
                _room.FailAll(outcome.Fault);
            }

            _room.Grant();
            WantCommitForRoom();
        }
    }

    private async ValueTask CommitEverythingAsync()
    {
        while (true)
        {
            TransactionId last;
            lock (_latch)
            {
                if (!HasSomethingToCommit && !_commits.IsInProgress)
                {
                    return;
                }

                // Without a change that could be lost, an abort is old news.
                if (IsAborted && VolumeCache.UnstableBlocks == 0)
                {
                    return;
                }

                last = _running.Id;
            }

            await CommitAsync(last).ConfigureAwait(false);
        }
    }
}
