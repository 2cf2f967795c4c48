using Penstock.Execution;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>
/// Makes a failing run small: leaves operations out, in ever smaller pieces, as long as what is left still fails. An order that fails with many
/// operations may not be drawn again with few, so a few other orders are tried for each piece.
/// </summary>
/// <param name="plan">What fails.</param>
/// <param name="broken">The rules that are off.</param>
/// <param name="budget">The most runs: a number and no time, so that the same failure is made equally small on every machine.</param>
internal sealed class Shrinker(Plan plan, RuleSet broken, int budget)
{
    private const int OrdersForEach = 12;

    private int _runs;

    /// <summary>The fewest operations found that fail, and the order in which they do.</summary>
    public (Plan Plan, ulong Order) Shrink(ulong order)
    {
        List<Operation> kept = [.. plan.Operations];
        for (int piece = Math.Max(1, kept.Count / 2); piece >= 1 && !IsSpent; piece = piece == 1 ? 0 : piece / 2)
        {
            bool hasShrunk = true;
            while (hasShrunk && !IsSpent)
            {
                hasShrunk = false;
                for (int at = kept.Count - piece; at >= 0 && !IsSpent; at -= piece)
                {
                    List<Operation> candidate = [.. kept];
                    candidate.RemoveRange(at, Math.Min(piece, candidate.Count - at));
                    if (candidate.Count > 0 && FindOrder(candidate, order) is { } failing)
                    {
                        (kept, order, hasShrunk) = (candidate, failing, true);
                        at = Math.Min(at, kept.Count);
                    }
                }
            }
        }

        return (plan with { Operations = kept }, order);
    }

    private bool IsSpent => _runs >= budget;

    private ulong? FindOrder(List<Operation> operations, ulong order)
    {
        int tries = operations.Count > 40 ? 2 : OrdersForEach;
        for (int i = 0; i < tries && !IsSpent; i++)
        {
            _runs++;
            ulong other = i == 0 ? order : Chance.Mix(order, (ulong)i) >> 32;
            if (Run.Execute(plan with { Operations = operations }, other, broken).Violation is not null)
            {
                return other;
            }
        }

        return null;
    }
}
