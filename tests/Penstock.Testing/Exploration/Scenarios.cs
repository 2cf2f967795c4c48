using Penstock.Execution;

namespace Penstock.Testing.Exploration;

/// <summary>Small uses of each primitive by a few strands, and what must hold in every order of their steps.</summary>
internal static partial class Scenarios
{
    /// <summary>The types whose latches, atomic operations and fields are steps.</summary>
    public static IReadOnlySet<string> Instrumented { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "Penstock.Locking.SharedLock",
        "Penstock.Execution.SharedEvent",
        "Penstock.Execution.PooledCompletion`1",
        "Penstock.Execution.CompletionCore`1",
        "Penstock.Execution.WorkQueue",
        "Penstock.Execution.SharedDuty",
        "Penstock.Execution.UserRow",
        "Penstock.Execution.RowWatch",
        "Penstock.Devices.DrainGate",
        "Penstock.Devices.FlushLatch",
        "Penstock.Devices.Rings.ArrivalStack",
        "Penstock.Devices.Rings.RequestQueue",
        "Penstock.Devices.Rings.SleepFlag",
        "Penstock.DirectIO.DirectIoRequest",
        "Penstock.Journal.RoomQueue",
        "Penstock.Journal.CommitQueue",
        "Penstock.Caching.WaitList",
        "Penstock.Caching.PageWaiter",
        "Penstock.Caching.PageWindow",
        "Penstock.Files.UserOperation`1",
    };

    /// <summary>By name: the types whose steps are chosen in it (those of the others happen at once), and what the strands do.</summary>
    public static IReadOnlyDictionary<string, (string[] Subjects, Action<Execution> Body)> All { get; } =
        new Dictionary<string, (string[] Subjects, Action<Execution> Body)>(StringComparer.Ordinal)
        {
            ["lock: exclusive against shared"] = (["SharedLock"], LockExcludes),
            ["lock: first come, first served"] = (["SharedLock"], LockIsFair),
            ["lock: downgrade"] = (["SharedLock"], LockDowngrades),
            ["lock: what does not wait"] = (["SharedLock"], LockTries),
            ["event: two who wait"] = (["SharedEvent"], EventReachesAll),
            ["event: that fails"] = (["SharedEvent", "CompletionCore"], EventFails),
            ["completion: taken while it completes"] = (["PooledCompletion", "CompletionCore"], CompletionIsTakenOnce),
            ["work queue: two workers"] = (["WorkQueue"], WorkIsDoneOnce),
            ["work queue: grows"] = (["WorkQueue"], WorkGrows),
            ["duty: stand-ins"] = (["SharedDuty"], DutyIsOneThreads),
            ["duty: taken by two"] = (["SharedDuty"], DutyIsTakenOnce),
            ["duty: who waits is woken"] = (["SharedDuty"], DutyWakesWhoWaits),
            ["row: one piece holds up another"] = (["UserRow", "RowWatch", "SharedDuty"], RowIsHandedOver),
            ["row: after the watch has slept"] = (["UserRow", "RowWatch"], RowWakesTheWatch),
            ["row: two rows of one watch"] = (["RowWatch"], RowsComeAndGo),
            ["row: spilled while it runs"] = (["UserRow", "RowWatch", "SharedDuty"], RowIsSpilled),
            ["gate: closed while requests come"] = (["DrainGate"], GateDrains),
            ["gate: closed by two"] = (["DrainGate"], GateIsClosedOnce),
            ["flush latch: one ring fails, another does not"] = (["FlushLatch"], FlushFailureStays),
            ["arrivals: two who push"] = (["ArrivalStack", "RequestQueue"], ArrivalsAreInOrder),
            ["ring: sleeps and is woken"] = (["SleepFlag", "ArrivalStack"], SleeperIsWoken),
            ["direct request: parts complete while others are submitted"] = (["DirectIoRequest"], PartsAreCounted),
            ["direct request: two parts fail at once"] = (["DirectIoRequest"], FirstFailureCounts),
            ["direct request: used again"] = (["DirectIoRequest"], RequestIsUsedAgain),
            ["room: credits are spent while others wait"] = (["RoomQueue"], RoomIsNotOverdrawn),
            ["room: held, and released"] = (["RoomQueue"], RoomIsHeld),
            ["commits: two who wait"] = (["CommitQueue"], CommitsReachAll),
            ["commits: who closes waits"] = (["CommitQueue"], CommitsEnd),
            ["wait list: one page for two"] = (["WaitList"], RoomIsFound),
            ["wait list: failure reaches all"] = (["WaitList"], RoomFails),
            ["page: locked by two"] = (["PageWaiter"], PageIsLockedByOne),
            ["window: read while its pages change hands"] = (["PageWindow"], WindowShowsItsOwn),
            ["window: marks what was read"] = (["PageWindow"], WindowMarksUse),
            ["user: blocks for a result"] = (["UserOperation"], UserBlocks),
            ["user: blocks, then awaits"] = (["UserOperation"], UserBlocksThenAwaits),
            ["user: awaits a result"] = (["UserOperation"], UserAwaits),
        };

    /// <summary>How many are inside at once; a step in between, so that others can come.</summary>
    private sealed class Room(Execution execution)
    {
        private int _shared;
        private int _exclusive;

        public void Exclusive()
        {
            execution.Require(_exclusive == 0 && _shared == 0, "two have a lock that one holds exclusively");
            _exclusive++;
            execution.Step();
            _exclusive--;
        }

        public void Shared()
        {
            execution.Require(_exclusive == 0, "a lock is shared that one holds exclusively");
            _shared++;
            execution.Step();
            _shared--;
        }
    }

    private static void WorkIsDoneOnce(Execution e)
    {
        var queue = new WorkQueue();
        int[] done = new int[3];
        for (int w = 0; w < 2; w++)
        {
            e.Start($"worker {w}", () =>
            {
                while (true)
                {
                    queue.Dequeue(out Action<object?> work, out object? state);
                    work(state);
                }
            }, isDaemon: true);
        }

        for (int p = 0; p < 2; p++)
        {
            int first = p * 2;
            e.Start($"poster {p}", () =>
            {
                for (int i = first; i < Math.Min(first + 2, done.Length); i++)
                {
                    queue.Enqueue(state => done[(int)state!]++, i);
                }
            });
        }

        e.AtEnd(() => e.Require(Array.TrueForAll(done, static d => d == 1), $"work was done {string.Join(", ", done)} times"));
    }

    private static void WorkGrows(Execution e)
    {
        const int Pieces = 600;
        var queue = new WorkQueue();
        e.Start("worker", () =>
        {
            int enqueued = 0;
            for (int i = 0; i < Pieces; i++)
            {
                // Two in, one out, so that the ring is not at its start when it grows.
                for (int k = 0; k < 2 && enqueued < Pieces; k++)
                {
                    queue.Enqueue(static _ => { }, enqueued++);
                }

                queue.Dequeue(out _, out object? state);
                e.Require(state is int n && n == i, $"piece {state} comes in place of {i}");
            }
        });
    }

    private static void EventReachesAll(Execution e) => WaitForEvent(e, null);

    private static void EventFails(Execution e) => WaitForEvent(e, new IOException("planned"));

    private static void WaitForEvent(Execution e, Exception? failure)
    {
        var happened = new SharedEvent(e.Scheduler);
        int told = 0;
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"waiter {i}", Wait);
        }

        e.Start("setter", () =>
        {
            happened.Set(failure);
            Wait();
        });
        e.AtEnd(() => e.Require(told == 3, $"{told} of 3 were told"));

        void Wait()
        {
            Exception? met = null;
            try
            {
                e.Await(happened.WaitAsync());
            }
            catch (IOException thrown)
            {
                met = thrown;
            }

            e.Require(met == failure, "a waiter is not told how it ended");
            told++;
        }
    }

    private static void CompletionIsTakenOnce(Execution e)
    {
        PooledCompletion<int>? offered = null;
        e.Scheduler.Serve();
        e.Start("waiter", () =>
        {
            for (int round = 1; round <= 2; round++)
            {
                PooledCompletion<int> completion = PooledCompletion<int>.Rent(e.Scheduler);
                ValueTask<int> task = completion.Task;
                offered = completion;
                int result = e.Await(task);
                e.Require(result == round, $"who waits in round {round} was told {result}");
            }
        });
        e.Start("teller", () =>
        {
            for (int round = 1; round <= 2; round++)
            {
                e.WaitUntil(() => offered is not null);
                PooledCompletion<int> completion = offered!;
                offered = null;
                if (round == 1)
                {
                    completion.Complete(round);
                }
                else
                {
                    completion.CompleteInline(round);
                }
            }
        });
    }
}
