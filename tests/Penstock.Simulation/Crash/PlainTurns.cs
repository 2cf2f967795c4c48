using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash;

/// <summary>A device and a scheduler without surprises, for what is no race: making a volume, recovering and judging it.</summary>
internal sealed class PlainTurns
{
    private const long MostSteps = 3_000_000;

    public PlainTurns(ChunkMemory content, long length)
    {
        Scheduler = new SimulationScheduler(1, new Trace(keepsLines: false)) { Profile = new OrderProfile { Order = Order.Oldest } };
        Device = new SimulationDevice(Scheduler, content, length, new Chance(1)) { Profile = new DeviceProfile { MovesEarly = 0, MovesTorn = 0 } };
    }

    public SimulationScheduler Scheduler { get; }

    public SimulationDevice Device { get; }

    /// <summary>Runs until a task has ended, and throws what it threw.</summary>
    public void Complete(Task task)
    {
        if (!Scheduler.RunUntil(() => task.IsCompleted, MostSteps))
        {
            throw new InvalidOperationException(Scheduler.Escape ?? "It does not come to an end.");
        }

        task.GetAwaiter().GetResult();
    }

    public T Complete<T>(Task<T> task)
    {
        Complete((Task)task);
        return task.GetAwaiter().GetResult();
    }
}
