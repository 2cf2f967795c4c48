namespace Penstock.Simulation.Running;

/// <summary>What came of a run.</summary>
/// <param name="Violation">What was wrong first; null if nothing was.</param>
/// <param name="TraceHash">A hash of everything that happened.</param>
/// <param name="Operations">How many operations were carried out.</param>
/// <param name="Steps">How many steps the scheduler took.</param>
/// <param name="Lines">The timeline, where it was asked for.</param>
internal sealed record RunResult(string? Violation, ulong TraceHash, long Operations, long Steps, IReadOnlyList<string> Lines);
