using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Journal.Format;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The mode with a jbd2 log. A commit writes copies of the transaction's blocks to the log, flushes the device, and writes the commit block, durably; the blocks go to
/// their places later, by checkpoints, which make the log's beginning free again. The rules, beside those of <see cref="TransactionalJournal"/>:
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>The volume says needs_recovery, and the journal's superblock where the log begins, durably, before the first block of the log is written.</item>
/// <item>Copies are of the blocks as they were when the transaction got its last change; whoever changes one of them earlier than it is copied freezes it.</item>
/// <item>The commit block is written when all that the transaction has in the log has been written and the device flushed. The same flush makes the data durable
/// that files wrote before their extents were turned or their size stored.</item>
/// <item>A block is written to its place only as it was committed, when its commit is durable.</item>
/// <item>The log's beginning moves past a transaction when each of its blocks is in its place and flushed, or in a later transaction of the log, or was freed by one.
/// The move is durable before the space is used again.</item>
/// <item>Freed metadata is revoked in the transaction that freed it.</item>
/// <item>What is dirty or promised always fits what is free in the log, so that a commit need not wait for a checkpoint, which may need that very commit.</item>
/// <item>One activity commits and checkpoints, so neither sees the other half done.</item>
/// </list>
/// </remarks>
internal sealed class LogJournal : TransactionalJournal
{
    /// <summary>Blocks of one step of a checkpoint: commits that are wanted meanwhile wait for no more.</summary>
    private const int BlocksInStep = 1024;

    private readonly List<MetadataBlock> _batch = [];
    private readonly List<MetadataBlock> _checkpoint = [];
    private readonly Queue<LoggedTransaction> _logged = new();
    private readonly PlaceWriter _places;
    private readonly int _maxLogged;
    private readonly DataInLog _data = new();
    private LogArea? _area;
    private LogWriter? _writer;
    private LogSequence _sequence;
    private uint _head;
    private uint _free;
    private uint _needed;
    private bool _isStarted;
    private bool _mustFlush;

    /// <summary>The last step of a checkpoint brought nothing on: another needs a commit first, or somebody who asks for it if it failed.</summary>
    private bool _isStalled;
    private bool _hasFailed;
    private PooledCompletion<bool>? _settling;

    /// <inheritdoc cref="TransactionalJournal(VolumeMetadataCache, IJournalClient, int, TimeSpan?)"/>
    public LogJournal(VolumeMetadataCache cache, IJournalClient client, int maxUnstableBlocks = 0, TimeSpan? commitInterval = null)
        : base(cache, client, maxUnstableBlocks, commitInterval)
    {
        cache.HasLog = true;
        _places = new PlaceWriter(cache);
        _maxLogged = (maxUnstableBlocks > 0 ? maxUnstableBlocks : cache.DefaultUnstableLimit) / 2;
    }

    /// <summary>Whether a commit waits for data that its blocks lead to.</summary>
    public bool OrdersData { get; init; } = true;

    /// <inheritdoc/>
    public override int DataBlocksPerHandle => (int)Math.Clamp(Area.Geometry.Length / 64, 4, (uint)Math.Max(_maxLogged / 4, 4));

    /// <inheritdoc/>
    protected override bool HoldsNewcomers => true;

    /// <inheritdoc/>
    protected override bool WaitsForData => OrdersData;

    /// <inheritdoc/>
    protected override bool HasDataInLog => !_data.IsEmpty;

    /// <inheritdoc/>
    protected override bool WantsUpkeep =>
        _settling is not null || ((!_isStalled || (_hasFailed && IsRoomWanted)) && _logged.Count > 0
            && (IsRoomWanted || VolumeCache.LoggedBlocks > _maxLogged || _free < Area.Geometry.Length / 2));

    private LogArea Area => _area ?? throw new InvalidOperationException("The journal has no log yet.");

    private LogWriter Writer => _writer ?? throw new InvalidOperationException("The journal has no log yet.");

    /// <summary>The most that a transaction may take of the log: a quarter, so that others can be written while the oldest waits for its checkpoint.</summary>
    private uint MaxTransaction => Area.Geometry.Length / 4;

    /// <summary>Room for what reserved handles change, which are never refused.</summary>
    private uint Slack => Area.Geometry.Length / 8;

    /// <summary>Gives the journal its log, empty, and chooses the format. Once, before the first handle. The area is the journal's from now on.</summary>
    /// <param name="area">The journal's blocks.</param>
    /// <param name="hasChecksums">Whether the volume's metadata has checksums: then the log has those of version 3.</param>
    /// <param name="is64Bit">Whether the volume's block numbers may have more than 32 bits.</param>
    /// <param name="chunkBytes">How much is written to the log at once.</param>
    public void Attach(LogArea area, bool hasChecksums, bool is64Bit, int chunkBytes = LogWriter.DefaultChunkBytes)
    {
        JournalSuperblock superblock = area.Superblock;
        JournalFeatures kept = superblock.Features & ~(JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3 | JournalFeatures.AsyncCommit);
        superblock.Features = kept | JournalFeatures.Revoke
            | (hasChecksums ? JournalFeatures.ChecksumV3 : 0) | (is64Bit ? JournalFeatures.Is64Bit : 0);
        superblock.CompatFeatures &= ~JournalCompatFeatures.Checksum;
        superblock.ChecksumType = hasChecksums ? JournalSuperblock.Crc32CChecksumType : (byte)0;
        _area = area;
        _writer = new LogWriter(area, new LogFormat(superblock), chunkBytes);
        _head = area.Geometry.First;
        _free = area.Geometry.Length;

        // What an earlier use left in the log has smaller numbers, whether it was committed or not.
        _sequence = new LogSequence(superblock.Sequence).Next;
    }

    /// <inheritdoc/>
    public override async ValueTask<bool> SettleAsync()
    {
        await CommitAsync(Running).ConfigureAwait(false);
        ValueTask<bool> settled;
        lock (Latch)
        {
            if (!_isStarted || IsAborted)
            {
                return !IsAborted;
            }

            _settling ??= PooledCompletion<bool>.Rent(Scheduler);
            settled = _settling.Task;
        }

        StartUpkeep();
        return await settled.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    internal override void NoteData(VolumeBlock block)
    {
        lock (Latch)
        {
            _data.Put(block);
        }
    }

    /// <inheritdoc/>
    protected override void TakeFreedData(VolumeBlock first, ulong count, List<VolumeBlock> found) => _data.Take(first, count, found);

    /// <inheritdoc/>
    protected override bool FitsLog(int used, int credits)
    {
        uint after = Writer.CountBlocks(used + credits + CreditsOfLastHandle, 0);
        return (after <= MaxTransaction && after + _needed + Slack <= _free) || (used == 0 && _needed == 0 && _free == Area.Geometry.Length);
    }

    /// <inheritdoc/>
    protected override void RequireStorable(int credits)
    {
        if (Writer.CountBlocks(credits + CreditsOfLastHandle, 0) > Area.Geometry.Length - Slack)
        {
            throw new FileSystemException(
                IoFault.NoSpace, $"{Area.Device.Name}: a change of {credits} blocks does not fit the journal of {Area.Geometry.Length}");
        }
    }

    /// <inheritdoc/>
    protected override void Seal(Transaction transaction)
    {
        VolumeCache.CollectDirty(transaction.Id, _batch);
        _needed = Writer.CountBlocks(_batch.Count, transaction.Revoked.Count);
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    protected override async ValueTask<StoreOutcome> StoreAsync(Transaction transaction)
    {
        LoggedTransaction? logged = null;
        StoreOutcome outcome = default;
        if (_batch.Count > 0 || transaction.Revoked.Count > 0)
        {
            _batch.Sort(static (a, b) => a.Number.CompareTo(b.Number));
            logged = new LoggedTransaction(transaction.Id, _sequence, _head, _needed);
            outcome = await WriteLogAsync(transaction, logged).ConfigureAwait(false);
        }

        VolumeCache.EndLogWrite(_batch, transaction.Id, outcome.IsFailed ? null : logged);
        if (!outcome.IsFailed && logged is not null)
        {
            lock (Latch)
            {
                _data.Committed(_batch, logged);
            }
        }

        _batch.Clear();
        if (!outcome.IsFailed)
        {
            VolumeCache.EndForgotten(transaction.Id);
        }

        lock (Latch)
        {
            if (!outcome.IsFailed && logged is not null)
            {
                _logged.Enqueue(logged);
                _free -= logged.Length;
                _head = Area.Geometry.Advance(_head, logged.Length);
                _sequence = _sequence.Next;
            }

            _needed = 0;
            _isStalled = false;
        }

        await RecordErrorAsync(outcome).ConfigureAwait(false);
        return outcome;
    }

    /// <inheritdoc/>
    protected override void Unseal(Transaction transaction)
    {
        VolumeCache.EndLogWrite(_batch, transaction.Id, null);
        _batch.Clear();
    }

    /// <inheritdoc/>
    protected override void Aborted() => EndSettling(isEmpty: false);

    /// <inheritdoc/>
    protected override async ValueTask<StoreOutcome> UpkeepAsync()
    {
        uint freeBefore = _free;
        int loggedBefore = VolumeCache.LoggedBlocks;
        StoreOutcome outcome = await CheckpointAsync(BlocksInStep).ConfigureAwait(false);
        bool isStalled = outcome.IsFailed || (_free == freeBefore && VolumeCache.LoggedBlocks == loggedBefore);
        lock (Latch)
        {
            _isStalled = isStalled;
            _hasFailed = outcome.IsFailed;
        }

        if (_settling is not null && (isStalled || _logged.Count == 0))
        {
            bool isEmpty = _logged.Count == 0 && !outcome.IsFailed;
            outcome = isEmpty ? await EmptyLogAsync().ConfigureAwait(false) : outcome;
            EndSettling(isEmpty && !outcome.IsFailed);
        }

        await RecordErrorAsync(outcome).ConfigureAwait(false);
        return outcome;
    }

    /// <inheritdoc/>
    protected override void DisposeStore()
    {
        _places.Dispose();
        _writer?.Dispose();
        _area?.Dispose();
    }

    /// <inheritdoc/>
    protected override void AbandonStore()
    {
        _places.Abandon();
        _writer?.Abandon();
        _area?.Dispose();
    }

    /// <summary>Rules 1 to 3, in their order.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<StoreOutcome> WriteLogAsync(Transaction transaction, LoggedTransaction logged)
    {
        StoreOutcome outcome = await MakeSpaceAsync().ConfigureAwait(false);
        if (!outcome.IsFailed && !_isStarted)
        {
            outcome = await StartLogAsync().ConfigureAwait(false);
        }

        if (!outcome.IsFailed)
        {
            outcome = await Writer.WriteAsync(logged.Sequence, _head, _batch, transaction.Revoked).ConfigureAwait(false);
        }

        if (!outcome.IsFailed && !Scheduler.IsBroken(Rule.FlushBeforeCommitBlock))
        {
            outcome = await FlushAllAsync().ConfigureAwait(false);
        }

        if (outcome.IsFailed)
        {
            return outcome;
        }

        long now = Scheduler.UnixNanoseconds;
        const long NanosecondsPerSecond = 1_000_000_000;
        var commit = new CommitBlock(logged.Sequence, (ulong)(now / NanosecondsPerSecond), (uint)(now % NanosecondsPerSecond));
        return await Writer.CommitAsync(commit, Area.Geometry.Advance(_head, logged.Length - 1)).ConfigureAwait(false);
    }

    /// <summary>The volume, for the data of files; and the log, where that has a device of its own.</summary>
    private async ValueTask<StoreOutcome> FlushAllAsync()
    {
        StoreOutcome outcome = await FlushAsync().ConfigureAwait(false);
        if (outcome.IsFailed || ReferenceEquals(Area.Device, VolumeCache.Device))
        {
            return outcome;
        }

        IoResult flushed = await Area.Device.FlushAsync().ConfigureAwait(false);
        return StoreOutcome.OfWrite(flushed.Fault, -1) with { Step = "the journal's device could not be flushed" };
    }

    /// <summary>Only where reserved handles changed more than anybody could foresee (rule 7) is there not enough.</summary>
    private async ValueTask<StoreOutcome> MakeSpaceAsync()
    {
        StoreOutcome outcome = default;
        if (_needed > _free)
        {
            outcome = await CheckpointAsync(int.MaxValue).ConfigureAwait(false);
        }

        return outcome.IsFailed || _needed <= _free
            ? outcome
            : new StoreOutcome(IoFault.NoSpace, IsFinal: true, -1, $"a transaction of {_needed} blocks does not fit the journal");
    }

    /// <summary>Rule 1.</summary>
    private async ValueTask<StoreOutcome> StartLogAsync()
    {
        Area.Superblock.Start = _head;
        Area.Superblock.Sequence = _sequence.Value;
        StoreOutcome outcome = await Area.WriteSuperblockAsync().ConfigureAwait(false);
        _isStarted = !outcome.IsFailed;
        return outcome;
    }

    /// <summary>Writes logged blocks to their places, flushes, and moves the log's beginning (rules 4 and 5).</summary>
    private async ValueTask<StoreOutcome> CheckpointAsync(int most)
    {
        VolumeCache.CollectLogged(most, _checkpoint);
        _mustFlush |= _checkpoint.Count > 0;
        StoreOutcome outcome = await _places.WriteAsync(_checkpoint).ConfigureAwait(false);
        if (!outcome.IsFailed && _mustFlush && !Scheduler.IsBroken(Rule.CheckpointBeforeTail))
        {
            outcome = await FlushAsync().ConfigureAwait(false);
            _mustFlush = outcome.IsFailed;
        }

        return outcome.IsFailed ? outcome : await MoveTailAsync().ConfigureAwait(false);
    }

    private async ValueTask<StoreOutcome> MoveTailAsync()
    {
        int gone = 0;
        uint blocks = 0;
        (uint start, LogSequence sequence) = (_head, _sequence);
        foreach (LoggedTransaction logged in _logged)
        {
            if (!VolumeCache.IsInPlace(logged))
            {
                (start, sequence) = (logged.First, logged.Sequence);
                break;
            }

            gone++;
            blocks += logged.Length;
        }

        if (gone == 0)
        {
            return default;
        }

        if (!Scheduler.IsBroken(Rule.TailBeforeReuse))
        {
            Area.Superblock.Start = start;
            Area.Superblock.Sequence = sequence.Value;
            StoreOutcome outcome = await Area.WriteSuperblockAsync().ConfigureAwait(false);
            if (outcome.IsFailed)
            {
                return outcome;
            }
        }

        lock (Latch)
        {
            for (; gone > 0; gone--)
            {
                _data.Left(_logged.Dequeue());
            }

            _free += blocks;
        }

        return default;
    }

    /// <summary>Says that nothing is to be replayed. Everything is in its place, and flushed.</summary>
    private async ValueTask<StoreOutcome> EmptyLogAsync()
    {
        Area.Superblock.Start = 0;
        Area.Superblock.Sequence = _sequence.Value;
        StoreOutcome outcome = await Area.WriteSuperblockAsync().ConfigureAwait(false);
        _isStarted = outcome.IsFailed;
        return outcome;
    }

    private void EndSettling(bool isEmpty)
    {
        lock (Latch)
        {
            _settling?.Complete(isEmpty);
            _settling = null;
        }
    }

    /// <summary>Tells the next user of the volume that the journal was given up (s_errno). What cannot be written is not.</summary>
    private async ValueTask RecordErrorAsync(StoreOutcome outcome)
    {
        const int InputOutputError = -5;
        if (outcome is { IsFailed: true, IsFinal: true } && _isStarted)
        {
            Area.Superblock.ErrorNumber = InputOutputError;
            await Area.WriteSuperblockAsync().ConfigureAwait(false);
        }
    }

    private sealed class PlaceWriter(VolumeMetadataCache cache) : MetadataWriter(cache)
    {
        protected override void End(MetadataBlock block, bool isWritten) => Cache.EndCheckpoint(block, isWritten);
    }
}
