using Penstock.Caching;
using Penstock.Execution;
using Penstock.Journal;

namespace Penstock.Testing.Exploration;

/// <content>Room, pages and commits: who waits is told, and told once.</content>
internal static partial class Scenarios
{
    private static void RoomIsFound(Execution e)
    {
        var list = new WaitList(e.Scheduler);
        int room = 0;
        int served = 0;
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"waiter {i}", () =>
            {
                while (true)
                {
                    long announced = list.Announce();
                    try
                    {
                        e.Step();
                        if (room > 0)
                        {
                            room--;
                            break;
                        }

                        e.Await(list.WaitAsync(announced));
                    }
                    finally
                    {
                        list.Withdraw();
                    }
                }

                served++;
                e.Step();
                room++;
                list.WakeOne();
            });
        }

        e.Start("releaser", () =>
        {
            room++;
            list.WakeOne();
        });
        e.AtEnd(() => e.Require(served == 2 && !list.IsWanted, $"{served} of 2 were served; announced: {list.IsWanted}"));
    }

    private static void RoomFails(Execution e)
    {
        var list = new WaitList(e.Scheduler);
        bool hasFailed = false;
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"waiter {i}", () =>
            {
                long announced = list.Announce();
                e.Step();
                IoFault fault = hasFailed ? IoFault.DeviceFailed : e.Await(list.WaitAsync(announced));
                list.Withdraw();
                e.Require(hasFailed && fault is IoFault.DeviceFailed or IoFault.None, $"a waiter is told {fault}");
            });
        }

        e.Start("writeback", () =>
        {
            hasFailed = true;
            list.WakeAll(IoFault.DeviceFailed);
        });
        e.AtEnd(() => e.Require(!list.IsWanted, "somebody is announced who is gone"));
    }

    /// <summary>As a page does it: the flag and the chain of waiters under the file's latch, the waking outside of it.</summary>
    private static void PageIsLockedByOne(Execution e)
    {
        var room = new Room(e);
        var latch = new object();
        bool isLocked = false;
        PageWaiter? waiters = null;
        e.Scheduler.Serve();
        for (int i = 0; i < 3; i++)
        {
            e.Start($"who locks {i}", () =>
            {
                while (true)
                {
                    ValueTask unlocked = default;
                    Sync.MonitorEnter(latch, -1);
                    bool isMine = !isLocked;
                    isLocked = true;
                    if (!isMine)
                    {
                        PageWaiter waiter = PageWaiter.Rent(e.Scheduler);
                        waiter.Next = waiters;
                        waiters = waiter;
                        unlocked = waiter.Task;
                    }

                    Sync.MonitorExit(latch, -1);
                    if (isMine)
                    {
                        break;
                    }

                    e.Await(unlocked);
                }

                room.Exclusive();
                Sync.MonitorEnter(latch, -1);
                isLocked = false;
                PageWaiter? woken = waiters;
                waiters = null;
                Sync.MonitorExit(latch, -1);
                PageWaiter.WakeAll(woken);
            });
        }
    }

    private static void CommitsReachAll(Execution e)
    {
        var latch = new object();
        var commits = new CommitQueue(e.Scheduler);
        var running = new TransactionId(1);
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"who syncs {i}", () =>
            {
                Sync.MonitorEnter(latch, -1);
                TransactionId mine = running;
                ValueTask<StoreOutcome> committed = default;
                bool mustWait = mine > commits.Committed;
                bool mustStart = false;
                if (mustWait)
                {
                    committed = commits.Wait(mine).Task;
                    mustStart = commits.Want(mine, running);
                }

                Sync.MonitorExit(latch, -1);
                if (mustStart)
                {
                    e.Start("committer", Commit, isDaemon: true);
                }

                if (mustWait)
                {
                    e.Await(committed);
                }

                e.Require(commits.Committed >= mine, $"{mine} is told to be committed, and is not");
            });
        }

        void Commit()
        {
            int inProgress = 0;
            while (true)
            {
                Sync.MonitorEnter(latch, -1);
                bool isWanted = commits.TryBegin(running);
                if (!isWanted)
                {
                    commits.Rest();
                }

                TransactionId closing = running;
                running = isWanted ? running.Next : running;
                e.Require(commits.IsInProgress == isWanted, "a commit is in progress that did not begin");
                Sync.MonitorExit(latch, -1);
                if (!isWanted)
                {
                    return;
                }

                e.Require(++inProgress == 1, "two commits at once");
                e.Step();
                inProgress--;
                Sync.MonitorEnter(latch, -1);
                commits.End(closing, default);
                Sync.MonitorExit(latch, -1);
            }
        }
    }

    private static void CommitsEnd(Execution e)
    {
        var latch = new object();
        var commits = new CommitQueue(e.Scheduler);
        var running = new TransactionId(1);
        bool isActive = false;
        e.Scheduler.Serve();
        e.Start("who syncs", () =>
        {
            Sync.MonitorEnter(latch, -1);
            isActive = commits.Want(running, running);
            ValueTask<StoreOutcome> committed = commits.Wait(running).Task;
            Sync.MonitorExit(latch, -1);
            e.Start("committer", () =>
            {
                Sync.MonitorEnter(latch, -1);
                commits.FailAll(default);
                commits.Rest();
                isActive = false;
                Sync.MonitorExit(latch, -1);
            }, isDaemon: true);
            e.Await(committed);
        });
        e.Start("who closes", () =>
        {
            Sync.MonitorEnter(latch, -1);
            ValueTask idle = commits.WhenIdle();
            Sync.MonitorExit(latch, -1);
            e.Await(idle);
            e.Require(!isActive, "who closes is told too early");
        });
    }
}
