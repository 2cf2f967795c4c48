using System.Diagnostics;
using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Finds the fewest and plainest operations that still fail, by leaving out and replaying on fresh files.</summary>
/// <param name="replay">Runs operations on fresh files.</param>
/// <param name="budget">How long it may take.</param>
internal sealed class FsxShrinker(Func<IReadOnlyList<FsxOperation>, Discrepancy?> replay, TimeSpan budget)
{
    private const int Confirmations = 3;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private FsxOperation[] _best = [];
    private Discrepancy? _found;

    /// <summary>How many replays it took.</summary>
    public int Replays { get; private set; }

    private bool IsLate => _clock.Elapsed > budget;

    /// <summary>Shrinks; null where the failure does not come again.</summary>
    public (IReadOnlyList<FsxOperation> Operations, Discrepancy Found)? Run(IReadOnlyList<FsxOperation> operations)
    {
        bool isConfirmed = TryTails(operations);
        for (int i = 0; i < Confirmations && !isConfirmed; i++)
        {
            isConfirmed = Fails([.. operations]);
        }

        if (!isConfirmed)
        {
            return null;
        }

        int before;
        do
        {
            before = _best.Length;
            LeaveOut();
            Simplify();
        }
        while (_best.Length < before && !IsLate);
        return (_best, _found!);
    }

    /// <summary>Most failures need only what came just before them.</summary>
    private bool TryTails(IReadOnlyList<FsxOperation> operations)
    {
        for (int length = 8; length < operations.Count && !IsLate; length *= 4)
        {
            if (Fails([.. operations.Skip(operations.Count - length)]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Leaves out parts, first large, then small, for as long as any can go.</summary>
    private void LeaveOut()
    {
        for (int size = Math.Max(_best.Length / 2, 1); size >= 1 && !IsLate; size /= 2)
        {
            for (int start = _best.Length - size; start > -size && !IsLate;)
            {
                int from = Math.Max(start, 0);
                int to = Math.Min(start + size, _best.Length);
                if (to > from)
                {
                    Fails([.. _best[..from], .. _best[to..]]);
                }

                start = Math.Min(start - size, _best.Length - 1);
            }
        }
    }

    /// <summary>Makes each operation plainer, one step at a time.</summary>
    private void Simplify()
    {
        for (int i = 0; i < _best.Length && !IsLate; i++)
        {
            foreach (Func<FsxOperation, FsxOperation> step in s_steps)
            {
                while (i < _best.Length && !IsLate && step(_best[i]) is var plainer && plainer != _best[i])
                {
                    FsxOperation[] attempt = [.. _best];
                    attempt[i] = plainer;
                    if (!Fails(attempt))
                    {
                        break;
                    }
                }
            }
        }
    }

    private static readonly Func<FsxOperation, FsxOperation>[] s_steps =
    [
        o => o with { IsAsync = false },
        o => o with { Pieces = 1 },
        o => o with { Modes = o.Modes & ~TransferModes.DataSync },
        o => o with { Modes = o.Modes & ~TransferModes.Direct },
        o => o with { Offset = o.Offset & ~0xFFFL },
        o => o with { Target = o.Target & ~0xFFFL },
        o => o.Length > 0x1000 ? o with { Length = 0x1000 } : o,
        o => o.Length > 1 ? o with { Length = o.Length / 2 } : o,
        o => o with { Offset = o.Offset / 2 },
    ];

    private bool Fails(FsxOperation[] operations)
    {
        Replays++;
        if (operations.Length == 0 || replay(operations) is not { } found)
        {
            return false;
        }

        // What follows the failure has no part in it.
        _best = operations[..Math.Min(found.Position, operations.Length)];
        _found = found;
        return true;
    }
}
