using Penstock.Execution;
using Penstock.Files;

namespace Penstock.Testing.Exploration;

/// <content>The thread that reaps, and the users whose continuations it runs.</content>
internal static partial class Scenarios
{
    private static void DutyIsOneThreads(Execution e)
    {
        int withDuty = 0;
        int served = 0;
        int ended = 0;
        int held = 0;
        SharedDuty duty = null!;
        duty = new SharedDuty(() => e.Start("stand-in", Serve, isDaemon: true));

        void Serve()
        {
            bool isFirst = true;
            while (duty.WaitToTake())
            {
                e.Require(++withDuty == 1, "two have the duty");
                served++;
                e.Step();
                withDuty--;
                duty.LayDown();
                if (isFirst && served == 1)
                {
                    HeldUp();
                }

                isFirst = false;
            }

            ended++;
        }

        // By a user: somebody else must come.
        void HeldUp()
        {
            int before = served;
            duty.WantStandIn();
            held++;
            e.WaitUntil(() => served > before);
            held--;
        }

        int reapers = 2;
        for (int i = 0; i < 2; i++)
        {
            e.Start($"reaper {i}", () =>
            {
                if (duty.TryTake())
                {
                    e.Require(++withDuty == 1, "two have the duty");
                    e.Step();
                    withDuty--;
                    duty.LayDown();
                    HeldUp();
                }

                if (--reapers == 0)
                {
                    duty.End();
                }
            });
        }

        e.AtEnd(() => e.Require(ended + held == e.Count("stand-in"), $"{ended} of {e.Count("stand-in")} stand-ins have ended with the duty"));
    }

    private static void DutyIsTakenOnce(Execution e)
    {
        var duty = new SharedDuty(static () => { });
        int withDuty = 0;
        for (int i = 0; i < 2; i++)
        {
            e.Start($"reaper {i}", () =>
            {
                if (duty.TryTake())
                {
                    e.Require(++withDuty == 1, "two have the duty");
                    e.Step();
                    withDuty--;
                    duty.LayDown();
                }
            });
        }
    }

    private static void DutyWakesWhoWaits(Execution e)
    {
        var duty = new SharedDuty(static () => { });
        int served = 0;
        e.Start("stand-in", () =>
        {
            while (duty.WaitToTake())
            {
                served++;
                duty.LayDown();
            }
        }, isDaemon: true);
        e.Start("reaper", () =>
        {
            for (int round = 1; round <= 2; round++)
            {
                duty.WantStandIn();
                int wanted = round;
                e.WaitUntil(() => served >= wanted);
            }
        });
    }

    private static void RowIsHandedOver(Execution e)
    {
        var watch = new RowWatch();
        int withDuty = 0;
        bool hasSecond = false;
        int standIns = 0;
        int[] runs = new int[2];
        SharedDuty duty = null!;
        duty = new SharedDuty(() => e.Start("stand-in", () =>
        {
            if (duty.WaitToTake())
            {
                e.Require(++withDuty == 1, "two have the duty");
                standIns++;
                withDuty--;
                duty.LayDown();
            }
        }, isDaemon: true));
        var row = new UserRow(duty, watch);
        watch.Add(row);
        e.Scheduler.Serve(core: 0, user: 1);
        e.Start("reaper", () =>
        {
            e.Require(duty.TryTake(), "a duty that nobody has cannot be taken");
            row.TryAdd(_ =>
            {
                // Blocks for what the next piece does, and for a completion that only who has the duty can bring.
                runs[0]++;
                e.WaitUntil(() => hasSecond && standIns > 0);
            }, null);
            row.TryAdd(_ =>
            {
                runs[1]++;
                hasSecond = true;
            }, null);
            duty.LayDown();
            row.Run();
            e.Require(row.IsEmpty, "a row that has run is not empty");
        });
        e.AtEnd(() => e.Require(runs is [1, 1], $"pieces ran {runs[0]} and {runs[1]} times"));
    }

    private static void RowWakesTheWatch(Execution e)
    {
        var watch = new RowWatch();
        var row = new UserRow(new SharedDuty(static () => { }), watch);
        bool isFreed = false;
        e.Scheduler.Serve(core: 0, user: 1);
        e.Start("reaper", () =>
        {
            watch.Add(row);
            row.TryAdd(static _ => { }, null);
            row.Run();
            for (int looks = 0; looks < 50; looks++)
            {
                e.Sleep(-1);
            }

            // It sleeps by now, and is woken by this.
            row.TryAdd(_ => e.WaitUntil(() => isFreed), null);
            row.TryAdd(_ => isFreed = true, null);
            row.Run();
            e.Require(e.Count("thread") == 1, "there are two watches");
        });
    }

    private static void RowsComeAndGo(Execution e)
    {
        var watch = new RowWatch();
        e.Scheduler.Serve(core: 0, user: 1);
        for (int i = 0; i < 2; i++)
        {
            e.Start($"reaper {i}", () =>
            {
                var row = new UserRow(new SharedDuty(static () => { }), watch);
                watch.Add(row);
                row.TryAdd(static _ => { }, null);
                row.Run();
                watch.Remove(row);
            });
        }

        e.AtEnd(() => e.Require(e.Count("thread") == 1, "there is not one watch"));
    }

    private static void RowIsSpilled(Execution e)
    {
        var duty = new SharedDuty(static () => { });
        var row = new UserRow(duty, new RowWatch());
        int[] runs = new int[4];
        e.Scheduler.Serve(core: 0, user: 1);
        e.Start("reaper", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                for (int i = 0; i < 2; i++)
                {
                    e.Require(row.TryAdd(state => runs[(int)state!]++, (2 * round) + i), "a row takes nothing");
                }

                row.Run();
            }
        });
        e.Start("who spills", () =>
        {
            row.Spill();
            row.Spill();
        });

        e.AtEnd(() => e.Require(Array.TrueForAll(runs, static r => r == 1), $"pieces ran {string.Join(", ", runs)} times"));
    }

    private static void UserBlocks(Execution e) => CarryTwice(e, static _ => true);

    private static void UserAwaits(Execution e) => CarryTwice(e, static _ => false);

    private static void UserBlocksThenAwaits(Execution e) => CarryTwice(e, static round => round == 0);

    /// <summary>Twice, so that the second use meets what is left of the first.</summary>
    private static void CarryTwice(Execution e, Func<int, bool> blocks)
    {
        PooledCompletion<int>? pending = null;
        int told = 0;
        e.Scheduler.Serve(core: 1, user: 1);
        e.Start("user", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                PooledCompletion<int> inner = PooledCompletion<int>.Rent(e.Scheduler);
                ValueTask<int> task = inner.Task;
                ValueTask<int> carried = UserOperation<int>.Carry(task, e.Scheduler);
                pending = inner;
                if (!blocks(round))
                {
                    e.WaitUntil(() => carried.IsCompleted);
                }

                int result = UserOperation<int>.Wait(carried);
                e.Require(result == round, $"round {round} was told {result}");
                told++;
            }
        });
        e.Start("device", () =>
        {
            for (int round = 0; round < 2; round++)
            {
                e.WaitUntil(() => pending is not null);
                PooledCompletion<int> inner = pending!;
                pending = null;
                inner.Complete(round);
            }
        });
        e.AtEnd(() => e.Require(told == 2, $"{told} of 2 were told"));
    }
}
