using Penstock.Locking;

namespace Penstock.Testing.Exploration;

/// <content>The lock: mutual exclusion, order, and no waiter forgotten.</content>
internal static partial class Scenarios
{
    private static void LockExcludes(Execution e)
    {
        var target = new SharedLock(e.Scheduler, LockRank.Inode);
        var room = new Room(e);
        e.Scheduler.Serve();
        e.Start("writer", () =>
        {
            e.Await(target.AcquireExclusiveAsync());
            room.Exclusive();
            target.ReleaseExclusive();
        });
        for (int i = 0; i < 2; i++)
        {
            e.Start($"reader {i}", () =>
            {
                e.Await(target.AcquireSharedAsync());
                room.Shared();
                target.ReleaseShared();
            });
        }

        e.AtEnd(() => e.Require(!target.IsHeld && target.TryAcquireExclusive(), "the lock is held by nobody and not free"));
    }

    private static void LockIsFair(Execution e)
    {
        var target = new SharedLock(e.Scheduler, LockRank.Inode);
        var room = new Room(e);
        int clock = 0;
        int[] queued = new int[3];
        bool[] wasIn = new bool[3];
        Array.Fill(queued, int.MaxValue);
        e.Scheduler.Serve();
        for (int i = 0; i < 3; i++)
        {
            int n = i;
            bool isExclusive = n != 1;
            e.Start($"{(isExclusive ? "writer" : "reader")} {n}", () =>
            {
                int begun = ++clock;
                ValueTask acquired = isExclusive ? target.AcquireExclusiveAsync() : target.AcquireSharedAsync();
                queued[n] = ++clock;
                e.Await(acquired);
                for (int other = 0; other < 3; other++)
                {
                    e.Require(wasIn[other] || queued[other] > begun || other == n, $"{n} overtook {other}, who had been waiting when it came");
                }

                wasIn[n] = true;
                if (isExclusive)
                {
                    room.Exclusive();
                    target.ReleaseExclusive();
                }
                else
                {
                    room.Shared();
                    target.ReleaseShared();
                }
            });
        }
    }

    private static void LockDowngrades(Execution e)
    {
        var target = new SharedLock(e.Scheduler, LockRank.Inode);
        var room = new Room(e);
        e.Scheduler.Serve();
        e.Start("who downgrades", () =>
        {
            e.Await(target.AcquireExclusiveAsync());
            room.Exclusive();
            target.Downgrade();
            room.Shared();
            target.ReleaseShared();
        });
        e.Start("reader", () =>
        {
            e.Await(target.AcquireSharedAsync());
            room.Shared();
            target.ReleaseShared();
        });
        e.Start("writer", () =>
        {
            e.Await(target.AcquireExclusiveAsync());
            room.Exclusive();
            target.ReleaseExclusive();
        });
    }

    private static void LockTries(Execution e)
    {
        var target = new SharedLock(e.Scheduler, LockRank.Inode);
        var room = new Room(e);
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"who tries {i}", () =>
            {
                if (target.TryAcquireExclusive())
                {
                    room.Exclusive();
                    target.ReleaseExclusive();
                }
                else if (target.TryAcquireShared())
                {
                    room.Shared();
                    target.ReleaseShared();
                }
            });
        }

        e.Start("who waits", () =>
        {
            e.Await(target.AcquireExclusiveAsync());
            room.Exclusive();
            e.Require(!target.TryAcquireShared() && !target.TryAcquireExclusive(), "a lock that one holds exclusively was free");
            target.ReleaseExclusive();
        });
        e.AtEnd(() => e.Require(!target.IsHeld, "a lock is held by nobody"));
    }
}
