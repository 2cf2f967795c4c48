using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>
/// A workload once for each request that its device had: that one fails, or transfers only a part. Nobody may be told that something is durable which is not,
/// and the volume must be what recovery can mend.
/// </summary>
internal static class FaultSweep
{
    private const int LookEvery = 12;

    /// <summary>What was found first, and how many requests have failed.</summary>
    public static (CrashFinding? Finding, int Faults) Run(Workload workload, ulong seed, CrashTally tally, OutsideJudges judges)
    {
        var plan = new CrashPlan(workload, seed) { SweepsFaults = true, PointShare = LookEvery, StatesPerPoint = 1, OutsideShare = 1000 };
        if (CrashRun.Execute(plan with { PointShare = int.MaxValue }, tally, judges, out int requests) is { } early)
        {
            return (early, 0);
        }

        for (int i = 0; i < requests; i++)
        {
            CrashPlan failing = plan with { FailAt = i, FailsShort = i % 2 == 1, PointShare = LookEvery };
            if (CrashRun.Execute(failing, tally, judges) is { } finding)
            {
                return (CrashRun.Execute(failing with { KeepsLines = true, OnlyPoint = finding.Point }, tally, judges) ?? finding, i + 1);
            }
        }

        return (null, requests);
    }
}
