using Penstock.Devices;
using Penstock.Devices.Rings;

namespace Penstock.Testing.Exploration;

/// <content>What stands between submitters and the thread of a ring.</content>
internal static partial class Scenarios
{
    private static void GateDrains(Execution e)
    {
        var gate = new DrainGate(e.Scheduler);
        int inside = 0;
        bool isClosed = false;
        e.Scheduler.Serve();
        for (int i = 0; i < 2; i++)
        {
            e.Start($"request {i}", () =>
            {
                if (gate.TryEnter())
                {
                    e.Require(!isClosed, "a request enters a gate that is closed and drained");
                    inside++;
                    e.Step();
                    inside--;
                    gate.Exit();
                }
            });
        }

        e.Start("closer", () =>
        {
            bool isFirst = e.Await(gate.CloseAsync());
            isClosed = true;
            e.Require(isFirst, "the only one who closes is not the first");
            e.Require(inside == 0, "a gate is drained with a request inside");
            e.Require(!gate.TryEnter(), "a closed gate lets a request in");
        });
        e.AtEnd(() => e.Require(gate.Count == 0, "a gate counts requests that are gone"));
    }

    private static void GateIsClosedOnce(Execution e)
    {
        var gate = new DrainGate(e.Scheduler);
        int closers = 0;
        bool isInside = false;
        e.Scheduler.Serve();
        e.Start("request", () =>
        {
            if (gate.TryEnter())
            {
                isInside = true;
                e.Step();
                isInside = false;
                gate.Exit();
            }
        });
        for (int i = 0; i < 2; i++)
        {
            e.Start($"closer {i}", () =>
            {
                if (e.Await(gate.CloseAsync()))
                {
                    closers++;
                    e.Require(!isInside, "a gate is drained with a request inside");
                }
            });
        }

        e.AtEnd(() => e.Require(closers == 1, $"{closers} were told that they closed the gate"));
    }

    private static void FlushFailureStays(Execution e)
    {
        var latch = new FlushLatch();
        e.Start("ring that fails", () => latch.Judge(IoFault.DeviceFailed));
        e.Start("ring that reads", () => latch.Observe(DeviceOperation.Read, IoFault.DeviceFailed));
        e.Start("ring that writes", () => latch.Observe(DeviceOperation.WriteThrough, IoFault.NoSpace));
        e.AtEnd(() => e.Require(latch.Judge(IoFault.None).IsFailed, "a flush is believed after one that failed"));
    }

    private static void ArrivalsAreInOrder(Execution e)
    {
        var arrivals = new ArrivalStack();
        var queue = new RequestQueue();
        int[] last = [-1, -1];
        int taken = 0;
        for (int i = 0; i < 2; i++)
        {
            int n = i;
            e.Start($"submitter {n}", () =>
            {
                for (int k = 0; k < 2; k++)
                {
                    arrivals.Push(DeviceRequest.Rent(DeviceOperation.Read, (100 * n) + k));
                }
            });
        }

        e.Start("reaper", () =>
        {
            while (taken < 4)
            {
                e.WaitUntil(() => !arrivals.IsEmpty);
                arrivals.MoveTo(queue);
                while (queue.Peek() is { } next)
                {
                    e.Require(ReferenceEquals(queue.Dequeue(), next), "a queue gives another request than its first");
                    (long n, long k) = (next.Offset / 100, next.Offset % 100);
                    e.Require(k == last[n] + 1, $"request {k} of submitter {n} comes after {last[n]}");
                    last[n]++;
                    taken++;
                }

                e.Require(queue.IsEmpty, "a queue that gives nothing is not empty");
            }
        });
        e.AtEnd(() => e.Require(arrivals.IsEmpty && taken == 4, $"{taken} of 4 arrived"));
    }

    private static void SleeperIsWoken(Execution e)
    {
        var arrivals = new ArrivalStack();
        var queue = new RequestQueue();
        var sleep = new SleepFlag();
        int sleeps = 0;
        int signals = 0;
        int waits = 0;
        int taken = 0;
        for (int i = 0; i < 2; i++)
        {
            e.Start($"submitter {i}", () =>
            {
                arrivals.Push(DeviceRequest.Rent(DeviceOperation.Read, 0));
                if (sleep.MustWake())
                {
                    signals++;
                }
            });
        }

        e.Start("reaper", () =>
        {
            while (taken < 2)
            {
                sleeps++;
                sleep.Say();
                if (arrivals.IsEmpty)
                {
                    // In the kernel: what ends it is a signal, and only that.
                    e.WaitUntil(() => signals > waits);
                    waits++;
                }

                sleep.TakeBack();
                for (arrivals.MoveTo(queue); queue.Peek() is not null; queue.Dequeue())
                {
                    taken++;
                }
            }
        });
        e.AtEnd(() => e.Require(signals <= sleeps, $"{signals} signals for {sleeps} sleeps"));
    }
}
