using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// Transactions, handles, room and group commit: what every mode of journalling shares. How a closed transaction gets to the device is the
/// mode's own (<see cref="StoreAsync"/>). The rules, cited where they are kept:
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>At most one transaction is running; handles join it, and it alone. At most one is being committed, so commits are in order.</item>
/// <item>A transaction is closed before its commit waits for its handles. Without a log newcomers join the next one at once; with one they wait
/// until the closed one has no handle left (<see cref="HoldsNewcomers"/>), since both would change the same blocks. Neither waits for the device.</item>
/// <item>A transaction is stored only when none of its handles is open. A closed one gets one more handle: the client's last. Where newcomers are
/// held, reserved handles still join it, and the client's last is made again if one did.</item>
/// <item>No handle is handed out before the volume has been marked as changed on the device.</item>
/// <item>A commit succeeds only when all its blocks are written and the device is flushed. After a failed flush none ever does.</item>
/// <item>Freed blocks are told to the client when their transaction has committed, never before; those of a failed one wait for the next.</item>
/// <item>Whoever waits for room holds none, and is served first come, first served. Reserved handles never wait (Rule 2.18), and reservations
/// are not counted against the room of others, so nobody who holds one can be kept waiting by them.</item>
/// <item>After an abort no handle begins and nothing is edited; what is dirty stays in memory.</item>
/// </list>
/// </remarks>
internal abstract partial class TransactionalJournal : MetadataJournal
{
    private static readonly TimeSpan s_defaultInterval = TimeSpan.FromSeconds(5);

    private readonly object _latch = new();
    private readonly IJournalClient _client;
    private readonly RoomQueue _room;
    private readonly CommitQueue _commits;
    private readonly Alarm _alarm;
    private readonly TimeSpan _interval;
    private readonly Pool<JournalHandle> _handles;
    private readonly Pool<JournalReservation> _reservations;
    private Transaction _running = new(new TransactionId(1));
    private SharedEvent? _marking;
    private IoFault _failure;
    private StoreOutcome _failedStore;
    private volatile bool _isAborted;
    private long _flushesBegun;
    private long _lastGoodFlush;
    private bool _isMarkedChanged;
    private bool _isClosing;

    /// <param name="cache">The blocks; disposed with the journal.</param>
    /// <param name="client">The file system.</param>
    /// <param name="maxUnstableBlocks">How many blocks may be dirty or promised before newcomers wait; 0 for half of the cache's budget.</param>
    /// <param name="commitInterval">How long a change waits for its commit if nobody asks; null for 5 s.</param>
    protected TransactionalJournal(
        VolumeMetadataCache cache, IJournalClient client, int maxUnstableBlocks = 0, TimeSpan? commitInterval = null)
    {
        VolumeCache = cache;
        _client = client;
        _interval = commitInterval ?? s_defaultInterval;
        _room = new RoomQueue(cache, maxUnstableBlocks > 0 ? maxUnstableBlocks : cache.DefaultUnstableLimit, FitsLog);
        _commits = new CommitQueue(cache.Device.Scheduler);
        _handles = new Pool<JournalHandle>(() => new JournalHandle(this));
        _reservations = new Pool<JournalReservation>(() => new JournalReservation(this));
        _alarm = Scheduler.CreateAlarm(static journal => ((TransactionalJournal)journal!).StartCommit(), this);
    }

    /// <inheritdoc/>
    public override MetadataCache Cache => VolumeCache;

    /// <inheritdoc/>
    public override TransactionId Running
    {
        get
        {
            lock (_latch)
            {
                return _running.Id;
            }
        }
    }

    /// <inheritdoc/>
    public override bool IsAborted => _isAborted;

    /// <inheritdoc/>
    public override long FlushMark => Volatile.Read(ref _flushesBegun);

    internal VolumeMetadataCache VolumeCache { get; }

    protected Scheduler Scheduler => VolumeCache.Device.Scheduler;

    /// <summary>Whether nobody but reserved handles begins while a closed transaction has handles.</summary>
    protected virtual bool HoldsNewcomers => false;

    /// <summary>Whether there is work for the activity besides commits. The latch is held.</summary>
    protected virtual bool WantsUpkeep => false;

    /// <summary>Whether data that could be met before it is written holds a commit up.</summary>
    protected virtual bool WaitsForData => false;

    /// <summary>Whether the log may have copies of file data. The latch is held.</summary>
    protected virtual bool HasDataInLog => false;

    /// <summary>Whether somebody waits for room. The latch is held.</summary>
    protected bool IsRoomWanted => _room.HasWaiters;

    /// <summary>Guards the transactions, the room, and what a mode has for them.</summary>
    protected object Latch => _latch;

    protected int CreditsOfLastHandle => _client.CreditsBeforeCommit;

    private string DeviceName => VolumeCache.Device.Name;

    /// <inheritdoc/>
    public override ValueTask<Handle> BeginAsync(int credits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(credits);
        RecordBegin();
        try
        {
            lock (_latch)
            {
                RequireUsable();
                if (_isMarkedChanged && _room.TryTake(credits))
                {
                    return new ValueTask<Handle>(Join(_handles.Rent(), credits, isReserved: false));
                }
            }
        }
        catch
        {
            RecordStop();
            throw;
        }

        return BeginSlowlyAsync(credits);
    }

    /// <inheritdoc/>
    public override ValueTask<ReservedHandle> ReserveAsync(int credits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(credits);
        lock (_latch)
        {
            RequireUsable();
            if (_isMarkedChanged && _room.TryTake(credits))
            {
                return new ValueTask<ReservedHandle>(Reserve(credits));
            }
        }

        return ReserveSlowlyAsync(credits);
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public override async ValueTask CommitAsync(TransactionId transaction)
    {
        PooledCompletion<StoreOutcome>? waiter = null;
        lock (_latch)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(transaction, _running.Id);
            if (IsAborted)
            {
                throw CreateFailure(_failedStore);
            }

            // An empty transaction is as good as committed; the ones before it may not be.
            if (transaction == _running.Id && !_running.IsUsed)
            {
                transaction = new TransactionId(transaction.Value - 1);
            }

            if (transaction > _commits.Committed)
            {
                waiter = _commits.Wait(transaction);
                WantCommit(transaction);
            }
        }

        if (waiter is not null && await waiter.Task.ConfigureAwait(false) is { IsFailed: true } outcome)
        {
            throw CreateFailure(outcome);
        }
    }

    /// <inheritdoc/>
    public override bool HasFlushedSince(long mark) => Volatile.Read(ref _lastGoodFlush) > mark;

    /// <inheritdoc/>
    public override void StartCommit()
    {
        lock (_latch)
        {
            if (!IsAborted && HasSomethingToCommit)
            {
                WantCommit(_running.Id);
            }
        }
    }

    /// <inheritdoc/>
    public override void Abort(IoFault reason) => Abort(new StoreOutcome(
        reason == IoFault.None ? IoFault.DeviceFailed : reason, IsFinal: true, -1, "the changes of the volume were ended"));

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        ValueTask idle;
        lock (_latch)
        {
            if (_isClosing)
            {
                return;
            }

            _isClosing = true;
        }

        try
        {
            await CommitEverythingAsync().ConfigureAwait(false);
        }
        finally
        {
            lock (_latch)
            {
                idle = _commits.WhenIdle();
            }

            await idle.ConfigureAwait(false);
            _alarm.Dispose();
            DisposeStore();
            await VolumeCache.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public override void Abandon()
    {
        _alarm.Dispose();
        AbandonStore();
        VolumeCache.Abandon();
    }

    /// <summary>
    /// Whether so many more blocks fit what the mode has room for, besides memory, if so many are dirty or promised already. The latch is held.
    /// </summary>
    protected virtual bool FitsLog(int used, int credits) => true;

    /// <summary>Refuses a change that can never be stored.</summary>
    protected virtual void RequireStorable(int credits)
    {
    }

    /// <summary>
    /// Brings a closed transaction, none of whose handles is open, to stable storage. What could not be written stays dirty. One call at a time.
    /// </summary>
    protected abstract ValueTask<StoreOutcome> StoreAsync(Transaction transaction);

    /// <summary>The transaction has got its last change. The latch is held: the next one begins when this returns.</summary>
    protected virtual void Seal(Transaction transaction)
    {
    }

    /// <summary>A sealed transaction will not be stored after all: the journal was aborted.</summary>
    protected virtual void Unseal(Transaction transaction)
    {
    }

    /// <summary>The journal is given up. The latch is held.</summary>
    protected virtual void Aborted()
    {
    }

    /// <summary>Does some of the work besides commits; between two calls a commit that is wanted has its turn.</summary>
    protected virtual ValueTask<StoreOutcome> UpkeepAsync() => default;

    /// <summary>Frees what the mode holds. No store is in progress.</summary>
    protected abstract void DisposeStore();

    /// <summary>Frees what the mode holds; the device is gone.</summary>
    protected abstract void AbandonStore();

    /// <summary>Has the activity look for work: <see cref="WantsUpkeep"/> became true. Without the latch.</summary>
    protected void StartUpkeep()
    {
        lock (_latch)
        {
            WakeForUpkeep();
        }
    }

    internal void RequireNotAborted()
    {
        if (IsAborted)
        {
            throw new FileSystemException(
                IoFault.ReadOnly, $"{DeviceName}: read-only after a failure ({_failure.Describe()}); check the volume and open it again");
        }
    }

    /// <summary>A block of file data is being put into the running transaction. Its handle is open.</summary>
    internal virtual void NoteData(VolumeBlock block)
    {
    }

    /// <summary>Blocks were freed. The latch is held. Adds those of them to the list of which the log may have copies as file data.</summary>
    protected virtual void TakeFreedData(VolumeBlock first, ulong count, List<VolumeBlock> found)
    {
    }

    /// <summary>A credit became a dirty block.</summary>
    internal void Spent() => _room.Spent();

    internal void AddFreed(Transaction transaction, VolumeBlock first, ulong count)
    {
        ForgetData(transaction, first, count);
        if (Scheduler.IsBroken(Rule.FreedBlocksWaitForCommit))
        {
            _client.FreedBlocksCommitted(first, count);
            return;
        }

        lock (_latch)
        {
            transaction.AddFreed(first, count);
        }
    }

    /// <summary>Freed data that went through the log is to be replayed as little as freed metadata.</summary>
    private void ForgetData(Transaction transaction, VolumeBlock first, ulong count)
    {
        List<VolumeBlock> found;
        lock (_latch)
        {
            if (!HasDataInLog || Scheduler.IsBroken(Rule.FreedDataIsRevoked))
            {
                return;
            }

            found = [];
            TakeFreedData(first, count, found);
        }

        foreach (VolumeBlock block in found)
        {
            Forget(transaction, block);
        }
    }

    /// <summary>
    /// A transaction that is closed takes no more credits, since its commit is waiting; except for reserved handles, which must not wait for the next.
    /// </summary>
    internal bool TryExtend(Transaction transaction, int credits, bool isReserved)
    {
        lock (_latch)
        {
            return isReserved || (!transaction.IsClosed && _room.TryTake(credits));
        }
    }

    /// <summary>A metadata block was freed.</summary>
    internal void Forget(Transaction transaction, VolumeBlock block)
    {
        VolumeCache.Forget(block, transaction.Id);
        if (HoldsNewcomers && !Scheduler.IsBroken(Rule.FreedMetadataIsRevoked))
        {
            lock (_latch)
            {
                transaction.Revoke(block);
            }
        }
    }

    /// <summary>A block is metadata, whatever was said of it before.</summary>
    internal void CancelRevoke(Transaction transaction, VolumeBlock block)
    {
        if (transaction.Revoked.Count > 0)
        {
            lock (_latch)
            {
                transaction.CancelRevoke(block);
            }
        }
    }

    internal void Leave(Transaction transaction, int unspent, bool isReserved)
    {
        PooledCompletion<bool>? drained = null;
        lock (_latch)
        {
            if (--transaction.OpenHandles == 0)
            {
                (drained, transaction.Drained) = (transaction.Drained, null);
            }

            _room.GiveBack(isReserved ? 0 : unspent);
            WantCommitForRoom();
        }

        drained?.Complete(true);
    }

    internal void Return(JournalHandle handle)
    {
        RecordStop();
        _handles.Return(handle);
    }

    internal void Return(JournalReservation reservation) => _reservations.Return(reservation);

    /// <summary>Rule 7: begins at once, whatever room there is.</summary>
    internal Handle BeginReserved(int credits, JournalReservation reservation)
    {
        Return(reservation);
        lock (_latch)
        {
            RequireNotAborted();
            RecordBegin();
            return Join(_handles.Rent(), credits, isReserved: true);
        }
    }

    internal async ValueTask RejoinAsync(JournalHandle handle, int credits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(credits);
        if (handle.IsReserved)
        {
            // Rule 7.
            RequireNotAborted();
        }
        else
        {
            await WaitForRoomAsync(credits).ConfigureAwait(false);
        }

        lock (_latch)
        {
            Join(handle, credits, handle.IsReserved);
        }
    }

    private bool HasSomethingToCommit => _running.IsUsed || VolumeCache.DirtyBlocks > 0;

    private async ValueTask<Handle> BeginSlowlyAsync(int credits)
    {
        try
        {
            await WaitForRoomAsync(credits).ConfigureAwait(false);
        }
        catch
        {
            RecordStop();
            throw;
        }

        lock (_latch)
        {
            return Join(_handles.Rent(), credits, isReserved: false);
        }
    }

    private async ValueTask<ReservedHandle> ReserveSlowlyAsync(int credits)
    {
        await WaitForRoomAsync(credits).ConfigureAwait(false);
        lock (_latch)
        {
            return Reserve(credits);
        }
    }

    /// <summary>Returns with the credits taken.</summary>
    private async ValueTask WaitForRoomAsync(int credits)
    {
        RequireStorable(credits);
        await MarkChangedAsync().ConfigureAwait(false);
        PooledCompletion<IoFault> waiter;
        lock (_latch)
        {
            RequireNotAborted();
            if (_room.TryTake(credits))
            {
                return;
            }

            waiter = _room.Wait(Scheduler, credits);
            WantCommitForRoom();
        }

        IoFault fault = await waiter.Task.ConfigureAwait(false);
        RequireNotAborted();
        if (fault != IoFault.None)
        {
            throw CreateFailure(StoreOutcome.OfWrite(fault, -1));
        }
    }

    /// <summary>Rule 4. Several first handles share one call; if it fails, the next one tries again.</summary>
    private async ValueTask MarkChangedAsync()
    {
        SharedEvent marked;
        bool isFirst;
        lock (_latch)
        {
            if (_isMarkedChanged)
            {
                return;
            }

            isFirst = _marking is null;
            marked = _marking ??= new SharedEvent(Scheduler);
        }

        if (isFirst)
        {
            await MarkChangedOnceAsync(marked).ConfigureAwait(false);
        }

        await marked.WaitAsync().ConfigureAwait(false);
    }

    private async ValueTask MarkChangedOnceAsync(SharedEvent marked)
    {
        Exception? failure = null;
        try
        {
            if (!Scheduler.IsBroken(Rule.MarkedDirtyBeforeFirstChange))
            {
                await _client.BeforeFirstChangeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            failure = e;
        }

        lock (_latch)
        {
            _isMarkedChanged = failure is null;
            _marking = null;
        }

        marked.Set(failure);
    }

    /// <summary>Latch held. The credits are taken. Rule 1.</summary>
    private JournalHandle Join(JournalHandle handle, int credits, bool isReserved)
    {
        if (!_running.IsUsed)
        {
            _running.IsUsed = true;
            _alarm.Set(_interval);
        }

        return JoinTo(_running, handle, credits, isReserved);
    }

    private static JournalHandle JoinTo(Transaction transaction, JournalHandle handle, int credits, bool isReserved)
    {
        transaction.OpenHandles++;
        transaction.HasLateHandles = true;
        handle.Join(transaction, credits, isReserved);
        return handle;
    }

    /// <summary>Latch held. Room was there when the reservation was made; from now on it is nobody's business.</summary>
    private JournalReservation Reserve(int credits)
    {
        _room.GiveBack(credits);
        JournalReservation reservation = _reservations.Rent();
        reservation.Fill(credits);
        return reservation;
    }

    private void Abort(StoreOutcome outcome)
    {
        lock (_latch)
        {
            if (IsAborted)
            {
                return;
            }

            _failedStore = outcome;
            _failure = outcome.Fault;
            _isAborted = true;
            _room.FailAll(IoFault.ReadOnly);
            _commits.FailAll(outcome);
            _alarm.Cancel();
            Aborted();
        }
    }

    private void RequireUsable()
    {
        ObjectDisposedException.ThrowIf(_isClosing, this);
        RequireNotAborted();
    }

    private DeviceException CreateFailure(StoreOutcome outcome) => new(
        outcome.Fault,
        DeviceName,
        outcome.IsFinal
            ? $"{outcome.Step}: {outcome.Fault.Describe()}; the volume takes no more changes until it is opened again"
            : $"{outcome.Step}: {outcome.Fault.Describe()}; the changes are kept in memory, make room on the host",
        outcome.Offset);

    private void RecordBegin()
    {
        if (Checks.IsSupported && Scheduler.Recorder is { } recorder)
        {
            recorder.Acquiring(LockRank.Handle, 0, this, isExclusive: false);
            recorder.Acquired(LockRank.Handle, 0, this, isExclusive: false);
        }
    }

    private void RecordStop()
    {
        if (Checks.IsSupported)
        {
            Scheduler.Recorder?.Released(LockRank.Handle, this, isExclusive: false);
        }
    }
}
