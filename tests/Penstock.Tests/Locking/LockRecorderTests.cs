using Penstock.Locking;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Locking;

/// <summary>Rule 1.1 and invariant 3.7: the recorder finds what breaks the order of locks, and what is held too long.</summary>
public sealed class LockRecorderTests
{
    private readonly ManualScheduler _scheduler = new();
    private readonly LockRecorder _recorder = new() { KeepsTrace = true };

    public LockRecorderTests() => _scheduler.Recorder = _recorder;

    [Fact]
    public async Task Locks_in_order_are_no_violation()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        SharedLock second = Lock(LockRank.Inode, 2);
        SharedLock gate = Lock(LockRank.DirectIoGate);
        using (_recorder.BeginOperation("in order"))
        {
            await inode.AcquireExclusiveAsync();
            await second.AcquireExclusiveAsync();
            await gate.AcquireSharedAsync();
            gate.ReleaseShared();
            second.ReleaseExclusive();
            inode.ReleaseExclusive();
        }

        Assert.Empty(_recorder.Violations);
        Assert.Equal(6, _recorder.Trace.Count);
    }

    [Fact]
    public async Task The_seeds_order_reversed_is_found()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        SharedLock gate = Lock(LockRank.DirectIoGate);
        using (_recorder.BeginOperation("reversed"))
        {
            await gate.AcquireSharedAsync();
            await inode.AcquireSharedAsync();
            gate.ReleaseShared();
            inode.ReleaseShared();
        }

        Assert.Equal(["reversed: takes Inode while it holds DirectIoGate"], _recorder.Violations);
    }

    [Theory]
    [InlineData(2UL, 1UL)]
    [InlineData(1UL, 1UL)]
    public async Task Two_of_a_rank_out_of_order_are_found(ulong first, ulong then)
    {
        SharedLock a = Lock(LockRank.Inode, first);
        SharedLock b = Lock(LockRank.Inode, then);
        using (_recorder.BeginOperation("pair"))
        {
            await a.AcquireExclusiveAsync();
            await b.AcquireExclusiveAsync();
            b.ReleaseExclusive();
            a.ReleaseExclusive();
        }

        Assert.Single(_recorder.Violations);
    }

    [Fact]
    public async Task The_same_lock_twice_is_found()
    {
        SharedLock directory = Lock(LockRank.Directory, 2);
        using (_recorder.BeginOperation("twice"))
        {
            await directory.AcquireSharedAsync();
            await directory.AcquireSharedAsync();
            directory.ReleaseShared();
            directory.ReleaseShared();
        }

        Assert.Contains("again", Assert.Single(_recorder.Violations));
    }

    [Fact]
    public async Task An_operation_that_ends_holding_is_found()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        using (_recorder.BeginOperation("forgetful"))
        {
            await inode.AcquireSharedAsync();
        }

        Assert.Contains("ends holding Inode", Assert.Single(_recorder.Violations));
    }

    [Fact]
    public void A_release_of_what_is_not_held_is_found()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        Assert.True(inode.TryAcquireShared());
        using (_recorder.BeginOperation("a stranger"))
        {
            inode.ReleaseShared();
        }

        Assert.Contains("does not hold", Assert.Single(_recorder.Violations));
    }

    [Fact]
    public async Task A_lock_that_is_handed_over_is_released_by_the_completion()
    {
        SharedLock gate = Lock(LockRank.DirectIoGate);
        using (_recorder.BeginOperation("request"))
        {
            await gate.AcquireSharedAsync();
            gate.DisownShared();
        }

        using (_recorder.BeginOperation("completion"))
        {
            gate.ReleaseSharedByCompletion();
        }

        Assert.Empty(_recorder.Violations);
        Assert.False(gate.IsHeld);
        using (_recorder.BeginOperation("a thief"))
        {
            gate.DisownShared();
        }

        Assert.Contains("hands over", Assert.Single(_recorder.Violations));
    }

    [Fact]
    public void Holdings_flow_with_the_awaits_of_their_operation()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        SharedLock gate = Lock(LockRank.DirectIoGate);
        Assert.True(gate.TryAcquireExclusive());
        async Task Operate(string name, SharedLock last)
        {
            using OperationScope scope = _recorder.BeginOperation(name);
            await inode.AcquireSharedAsync();
            await gate.AcquireSharedAsync();
            inode.ReleaseShared();
            gate.ReleaseShared();
            await last.AcquireSharedAsync();
            last.ReleaseShared();
        }

        _scheduler.Run(async () =>
        {
            Task first = Operate("first", Lock(LockRank.Group));
            Task second = Operate("second", Lock(LockRank.Rename));
            gate.ReleaseExclusive();
            await first;
            await second;
        });
        Assert.Empty(_recorder.Violations);
        Assert.False(inode.IsHeld || gate.IsHeld);
    }

    [Fact]
    public void A_downgrade_changes_what_is_held()
    {
        SharedLock inode = Lock(LockRank.Inode, 1);
        using (_recorder.BeginOperation("downgrade"))
        {
            Assert.True(inode.TryAcquireExclusive());
            inode.Downgrade();
            inode.ReleaseShared();
        }

        Assert.Empty(_recorder.Violations);
        Assert.Equal([true, true, false, false], _recorder.Trace.Select(e => e.IsExclusive));
    }

    [Fact]
    public void Notes_stand_between_the_locks_of_the_trace()
    {
        _recorder.Note("submit");
        Assert.EndsWith("submit", Assert.Single(_recorder.Trace).ToString());
        _recorder.KeepsTrace = false;
        _recorder.Note("more");
        Assert.Single(_recorder.Trace);
    }

    private SharedLock Lock(LockRank rank, ulong order = 0) => new(_scheduler, rank, order);
}
