using System.Reflection;
using System.Runtime.Loader;

namespace Penstock.Testing.Exploration;

/// <summary>What came of exploring one scenario.</summary>
/// <param name="Failure">What went wrong and the steps that led there, or null.</param>
/// <param name="Executions">How many executions there were.</param>
/// <param name="IsExhausted">Whether those were all within the bound.</param>
internal readonly record struct Exploration(string? Failure, int Executions, bool IsExhausted);

/// <summary>
/// Explores the scenarios of <see cref="Scenarios"/>: every order of steps that has no more than so many preemptions. They run on a second copy of the core and
/// of this assembly, in which the core is instrumented.
/// </summary>
internal sealed class Explorer
{
    private readonly Func<string, int, int, int, string[], bool[], (string?, int, bool)> _explore;
    private readonly string[] _places;

    public Explorer()
    {
        string folder = AppContext.BaseDirectory;
        (byte[] assembly, Instrumentation done) = Instrumentation.Apply(Path.Combine(folder, "Penstock.dll"), Scenarios.Instrumented);
        var context = new Copies(folder, assembly);
        Type copy = context.LoadFromAssemblyName(new AssemblyName("Penstock.Testing")).GetType(typeof(Explorer).FullName!, throwOnError: true)!;
        _explore = copy.GetMethod(nameof(ExploreHere), BindingFlags.Static | BindingFlags.NonPublic)!
            .CreateDelegate<Func<string, int, int, int, string[], bool[], (string?, int, bool)>>();
        _places = [.. done.Sites.Select(static s => s.Place)];
        Faults = [.. done.Sites.Select(static s => s.Fault)];
    }

    /// <summary>What would be broken at each site; null where nothing can be.</summary>
    public IReadOnlyList<string?> Faults { get; }

    /// <summary>Explores one scenario, with one site broken unless that is -1. Marks the sites that were reached.</summary>
    public Exploration Explore(string scenario, int preemptions, int mostExecutions, int brokenSite = -1, bool[]? reached = null)
    {
        (string? failure, int executions, bool isExhausted) = _explore(scenario, preemptions, mostExecutions, brokenSite, _places, reached ?? new bool[_places.Length]);
        return new Exploration(failure, executions, isExhausted);
    }

    private static (string? Failure, int Executions, bool IsExhausted) ExploreHere(
        string scenario, int preemptions, int mostExecutions, int brokenSite, string[] places, bool[] reached)
    {
        using var threads = new StrandThreads();
        var schedule = new Schedule(preemptions);
        (string[] subjects, Action<Execution> body) = Scenarios.All[scenario];
        bool[] isStep = [.. places.Select(p => subjects.Contains(p.Split('.', ':')[0]))];
        for (int i = 1; i <= mostExecutions; i++)
        {
            var execution = new Execution(threads, schedule, isStep, reached, brokenSite);
            execution.Run(body);
            if (execution.Failure is { } failure)
            {
                return ($"{scenario}, execution {i}: {failure}\n{execution.Describe(places)}", i, false);
            }

            if (!schedule.MoveNext())
            {
                return (null, i, true);
            }
        }

        return (null, mostExecutions, false);
    }

    /// <summary>The copies; everything else is shared with the tests.</summary>
    private sealed class Copies(string folder, byte[] core) : AssemblyLoadContext("exploration")
    {
        protected override Assembly? Load(AssemblyName name) => name.Name switch
        {
            "Penstock" => LoadFromStream(new MemoryStream(core)),
            "Penstock.Testing" => LoadFromAssemblyPath(Path.Combine(folder, "Penstock.Testing.dll")),
            _ => null,
        };
    }
}
