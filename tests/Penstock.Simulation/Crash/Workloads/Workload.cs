namespace Penstock.Simulation.Crash.Workloads;

/// <summary>What runs until the power goes.</summary>
/// <param name="Name">The name on the command line.</param>
/// <param name="About">What it does.</param>
/// <param name="Shapes">The volumes that it runs on, in turns.</param>
/// <param name="Body">It itself.</param>
internal sealed record Workload(string Name, string About, IReadOnlyList<CrashShape> Shapes, Func<Stage, Task> Body)
{
    /// <summary>Whether calls may be refused for lack of space: on the volume, or in the block of a file's attributes.</summary>
    public bool RunsOutOfSpace { get; init; }
}
