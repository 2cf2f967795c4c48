namespace Penstock.Simulation.Crash.Judging;

/// <summary>What came of a crash state.</summary>
/// <param name="Problem">What is wrong; null if nothing.</param>
/// <param name="VolumeHash">A hash of the volume after recovery, its journal left out.</param>
/// <param name="ContentHash">A hash of all that a user sees after recovery.</param>
/// <param name="AskedOutside">Whether e2fsck has judged it too.</param>
internal readonly record struct Verdict(string? Problem, ulong VolumeHash, ulong ContentHash, bool AskedOutside);
