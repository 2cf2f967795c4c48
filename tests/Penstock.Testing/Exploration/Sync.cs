using Penstock.Execution;

namespace Penstock.Testing.Exploration;

/// <summary>
/// What the instrumented core calls in place of the runtime's latches, atomic operations, threads and clocks. Each is one step of the exploration; the last
/// argument is the site it stands at. At the broken site an atomic operation is two steps, a latch is not taken, a pulse or a store is left out.
/// </summary>
internal static partial class Sync
{
    private static bool IsBroken(int site) => Execution.Current!.Reaches(site);

    /// <summary>Whether the caller is a strand of an execution that goes on.</summary>
    private static bool Enters(int site)
    {
        if (Execution.Here is null)
        {
            return false;
        }

        Execution.Current!.Step(site);
        return true;
    }

    /// <summary>A step at which a field is read or written, unless it is guarded by a latch.</summary>
    public static void Field(int site)
    {
        if (Execution.Here is { } here)
        {
            Execution.Current!.Touch();
            if (here.Latches == 0)
            {
                Execution.Current.Step(site);
            }
        }
    }

    /// <summary>A collection is used: by several strands only under a latch.</summary>
    public static void Collection(object collection)
    {
        if (Execution.Here is { } here)
        {
            Execution.Current!.Uses(here, collection);
        }
    }

    /// <summary>Whether a field is written: not at the broken site.</summary>
    public static bool Store(int site)
    {
        Field(site);
        return Execution.Here is null || !IsBroken(site);
    }

    public static void MonitorEnter(object target, ref bool isTaken, int site)
    {
        MonitorEnter(target, site);
        isTaken = true;
    }

    public static void MonitorEnter(object target, int site)
    {
        if (Execution.Here is not { } here)
        {
            return;
        }

        Latch latch = Execution.Current!.LatchOf(target);
        if (IsBroken(site))
        {
            Execution.Current.Step(site);
            latch.Missed++;
            return;
        }

        Execution.Current.WaitUntil(() => latch.Owner is null || latch.Owner == here, site);
        latch.Owner = here;
        latch.Depth++;
        here.Latches++;
    }

    public static void MonitorExit(object target, int site)
    {
        if (Execution.Here is not { } here)
        {
            return;
        }

        Latch latch = Execution.Current!.LatchOf(target);
        if (latch.Owner != here)
        {
            Execution.Current.Require(latch.Missed-- > 0, "a latch is left that was not entered");
            return;
        }

        here.Latches--;
        if (--latch.Depth == 0)
        {
            latch.Owner = null;
        }

        _ = site;
    }

    public static bool MonitorWait(object target, int site)
    {
        if (Execution.Here is not { } here)
        {
            throw new ExecutionEndedException();
        }

        Latch latch = Execution.Current!.LatchOf(target);
        int depth = latch.Owner == here ? latch.Depth : 0;
        Execution.Current.Step(site);
        latch.Waiting.Enqueue(here);
        if (depth > 0)
        {
            (latch.Owner, latch.Depth) = (null, 0);
            here.Latches -= depth;
        }

        Execution.Current.WaitUntil(() => latch.Pulsed.Contains(here) && (depth == 0 || latch.Owner is null));
        latch.Pulsed.Remove(here);
        if (depth > 0)
        {
            (latch.Owner, latch.Depth) = (here, depth);
            here.Latches += depth;
        }

        return true;
    }

    public static void MonitorPulse(object target, int site)
    {
        if (Execution.Here is not null && !IsBroken(site) && Execution.Current!.LatchOf(target) is { Waiting.Count: > 0 } latch)
        {
            latch.Pulsed.Add(latch.Waiting.Dequeue());
        }
    }

    public static void MonitorPulseAll(object target, int site)
    {
        if (Execution.Here is null || IsBroken(site))
        {
            return;
        }

        Latch latch = Execution.Current!.LatchOf(target);
        while (latch.Waiting.TryDequeue(out Strand? waiter))
        {
            latch.Pulsed.Add(waiter);
        }
    }

    /// <summary>Pools are those of one execution, so that each begins with the same objects; and nothing is given back twice.</summary>
    public static T Rent<T>(object pool, Func<T> create)
        where T : class =>
        Execution.Here is not null && Execution.Current!.PoolOf(pool).TryPop(out object? item) ? (T)item : create();

    public static void Return<T>(object pool, T item)
        where T : class
    {
        if (Execution.Here is not null)
        {
            Stack<object> items = Execution.Current!.PoolOf(pool);
            Execution.Current.Require(!items.Contains(item), $"a {typeof(T).Name} is given back twice");
            items.Push(item);
        }
    }

    public static long TickCount64() => 1;

    public static void Sleep(int milliseconds)
    {
        _ = milliseconds;
        if (Execution.Here is null)
        {
            throw new ExecutionEndedException();
        }

        Execution.Current!.Sleep(-1);
    }

    public static void SpinOnce(ref SpinWait spinner)
    {
        _ = spinner;
        Sleep(0);
    }

    public static Thread NewThread(ThreadStart body) => Execution.Here is null ? new Thread(body) : Execution.Current!.Declare(() => body());

    public static void StartThread(Thread thread)
    {
        if (Execution.Here is not null)
        {
            Execution.Current!.StartDeclared(thread);
        }
    }

    public static void QueueToPool(Action<object?> work, object? state) => Execution.Current?.Scheduler.PostToUser(work, state);
}
