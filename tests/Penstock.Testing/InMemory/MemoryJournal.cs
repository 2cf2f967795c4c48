using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Testing.InMemory;

/// <summary>A journal for a file system whose metadata lives in memory only: counts credits, tells of freed blocks at commit, flushes the device.</summary>
internal sealed class MemoryJournal(BlockDevice device, Action<VolumeBlock, ulong> freedCommitted) : MetadataJournal
{
    private readonly object _latch = new();
    private readonly List<(VolumeBlock First, ulong Count)> _freed = [];
    private TransactionId _running = new(1);
    private HandleGroup _group = new(device.Scheduler, before: null);
    private IoFault _aborted;

    /// <summary>How many handles are open now.</summary>
    public int OpenHandles { get; private set; }

    /// <summary>How many commits there were.</summary>
    public int Commits { get; private set; }

    /// <summary>Whether reservations fail, as they do from the moment in which a journal is aborted.</summary>
    public bool RefusesReservations { get; set; }

    /// <summary>The next handle begins when this has happened, as one does that waits for room.</summary>
    public SharedEvent? HoldsBack { get; set; }

    public override MetadataCache Cache => throw new NotSupportedException("Metadata lives in memory only.");

    public override TransactionId Running => _running;

    public override bool IsAborted => _aborted != IoFault.None;

    public override async ValueTask<Handle> BeginAsync(int credits)
    {
        if (HoldsBack is { } held)
        {
            HoldsBack = null;
            await held.WaitAsync();
        }

        return Begin(credits);
    }

    public override ValueTask<ReservedHandle> ReserveAsync(int credits) => RefusesReservations
        ? ValueTask.FromException<ReservedHandle>(new FileSystemException(IoFault.ReadOnly, "the journal is aborted"))
        : new ValueTask<ReservedHandle>(new Reserved(this, credits));

    public override async ValueTask CommitAsync(TransactionId transaction)
    {
        (VolumeBlock First, ulong Count)[] freed;
        HandleGroup group = _group;
        lock (_latch)
        {
            _group = new HandleGroup(device.Scheduler, group);
            group.Close();
        }

        await group.WaitAsync();
        lock (_latch)
        {
            freed = [.. _freed];
            _freed.Clear();
            _running = _running.Next;
            Commits++;
        }

        IoResult result = await device.FlushAsync();
        if (result.IsFailed)
        {
            Abort(result.Fault);
            throw new DeviceException(result.Fault, device.Name, "the flush of a commit failed");
        }

        foreach ((VolumeBlock first, ulong count) in freed)
        {
            freedCommitted(first, count);
        }
    }

    public override void StartCommit() => device.Scheduler.Start(async () => await CommitAsync(Running));

    public override void Abort(IoFault reason) => _aborted = reason;

    public override async ValueTask DisposeAsync() => await CommitAsync(Running);

    private MemoryHandle Begin(int credits)
    {
        if (IsAborted)
        {
            throw new FileSystemException(IoFault.ReadOnly, "the journal is aborted");
        }

        lock (_latch)
        {
            OpenHandles++;
            _group.Enter();
            return new MemoryHandle(this, credits, _group);
        }
    }

    /// <summary>The handles that began between two commits: the second waits for them, and for those before.</summary>
    private sealed class HandleGroup(Scheduler scheduler, HandleGroup? before)
    {
        private readonly SharedEvent _drained = new(scheduler);
        private HandleGroup? _before = before;
        private int _open = 1;

        public void Enter() => _open++;

        public void Close() => Leave();

        public void Leave()
        {
            if (--_open == 0)
            {
                _drained.Set();
            }
        }

        public async ValueTask WaitAsync()
        {
            if (_before is { } before)
            {
                await before.WaitAsync();
                _before = null;
            }

            await _drained.WaitAsync();
        }
    }

    private sealed class Reserved(MemoryJournal journal, int credits) : ReservedHandle
    {
        private bool _isSpent;

        public override Handle Begin()
        {
            Spend();
            return journal.Begin(credits);
        }

        public override void Cancel() => Spend();

        private void Spend()
        {
            if (_isSpent)
            {
                throw new InvalidOperationException("A reservation is used once.");
            }

            _isSpent = true;
        }
    }

    private sealed class MemoryHandle(MemoryJournal journal, int credits, HandleGroup group) : Handle
    {
        private bool _isStopped;

        public override TransactionId Transaction { get; } = journal._running;

        public override int CreditsLeft => credits;

        public override BlockEdit Edit(MetadataBlock block) => throw new NotSupportedException("Metadata lives in memory only.");

        public override void Forget(VolumeBlock block) => throw new NotSupportedException("Metadata lives in memory only.");

        public override void Freed(VolumeBlock first, ulong count)
        {
            lock (journal._latch)
            {
                journal._freed.Add((first, count));
            }
        }

        public override bool TryExtend(int more) => true;

        public override ValueTask RestartAsync(int newCredits) => ValueTask.CompletedTask;

        public override void Stop()
        {
            if (_isStopped)
            {
                throw new InvalidOperationException("A handle is stopped once.");
            }

            _isStopped = true;
            lock (journal._latch)
            {
                journal.OpenHandles--;
                group.Leave();
            }
        }
    }
}
