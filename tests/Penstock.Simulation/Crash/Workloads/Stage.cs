using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>Where a workload runs: its volume, and numbers of its own to choose by.</summary>
internal sealed class Stage(CrashWorld world, Chance chance)
{
    public CrashWorld World => world;

    public Chance Chance => chance;

    public int BlockSize => world.Shape.BlockSize;

    /// <summary>A client, whose names begin with this letter.</summary>
    public Client NewClient(char letter) => new(world, letter);

    /// <summary>Lets clients run at the same time.</summary>
    public async Task TogetherAsync(int count, Func<Client, Chance, Task> body)
    {
        var running = new List<Task>();
        for (int i = 0; i < count; i++)
        {
            running.Add(body(NewClient((char)('a' + i)), new Chance(chance.Next())));
        }

        foreach (Task task in running)
        {
            await task;
        }
    }
}
