using System.Runtime.InteropServices;
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

    /// <summary>One piece of memory is the page of one file, of another, and of another place in the first: each reader sees his own or none.</summary>
    private static void WindowShowsItsOwn(Execution e)
    {
        byte[] memory = GC.AllocateArray<byte>(1, pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        var window = new PageWindow();
        (PageTree File, long Index)[] pages = [(new PageTree(), 5), (new PageTree(), 5), (null!, 69)];
        pages[2].File = pages[0].File;
        e.Start("cache", () =>
        {
            for (int i = 0; i < pages.Length; i++)
            {
                (PageTree file, long index) = pages[i];
                window.Claim(file, index & -PageWindow.Length);
                memory[0] = (byte)(i + 1);
                window.Publish(index, address);
                e.Step();
                window.Withdraw(index);
                window.LetGo();
                memory[0] = 0;
            }
        });
        for (int i = 0; i < pages.Length; i++)
        {
            byte own = (byte)(i + 1);
            (PageTree file, long index) = pages[i];
            e.Start($"reader {own}", () =>
            {
                byte[] read = [0];
                bool isThere = window.TryCopy(file, index, 0, read);
                e.Require(read[0] == (isThere ? own : 0), $"reader {own} is shown {read[0]}");
            });
        }
    }

    private static void WindowMarksUse(Execution e)
    {
        byte[] memory = GC.AllocateArray<byte>(1, pinned: true);
        var file = new PageTree();
        var window = new PageWindow();
        e.Start("cache", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                window.Claim(file, 64);
                window.Publish(69, Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0));
                e.Require(!window.TakeUse(69), "a page is used that nobody has read");
                e.Require(window.TryCopy(file, 69, 0, new byte[1]), "a page is not found");
                e.Require(window.TakeUse(69), "a page that was read is not used");
                e.Require(!window.TakeUse(69), "a page stays used");
                e.Require(window.TryCopy(file, 69, 0, new byte[1]), "a page is not found again");
                window.Withdraw(69);
                window.LetGo();
            }
        });
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
