using System.Globalization;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Model;

/// <content>What is promised besides where data goes through the log: no block has a part of a write, and no write is there without those that had returned before it began.</content>
internal sealed partial class ContentModel
{
    /// <summary>What is wrong with the order of the writes in a file that <see cref="Judge"/> finds right, or null.</summary>
    /// <param name="content">All of it.</param>
    /// <param name="unit">The size of a block in bytes.</param>
    public string? JudgeOrder(ReadOnlySpan<byte> content, int unit)
    {
        int newest = -1;
        int missing = -1;
        var present = new HashSet<(int Write, long Block)>();
        var absent = new HashSet<(int Write, long Block)>();
        long[] cuts = FindCuts(content.Length);
        for (int i = 0; i + 1 < cuts.Length; i++)
        {
            for (long at = cuts[i]; at < cuts[i + 1];)
            {
                long end = Math.Min(cuts[i + 1], (at / Sector + 1) * Sector);
                int found = FindWrite(content[(int)at..(int)end], at);
                if (found >= 0 && _pending[found].Change == ContentChange.Write)
                {
                    present.Add((found, at / unit));
                    newest = Later(newest, found, static o => o.Began);
                }

                for (int later = found + 1; later < _pending.Count; later++)
                {
                    ContentOperation operation = _pending[later];
                    if (operation is { Change: ContentChange.Write, HasFailed: false } && operation.Touches(at, end))
                    {
                        absent.Add((later, at / unit));
                        missing = missing < 0 || operation.Ended < _pending[missing].Ended ? later : missing;
                    }
                }

                at = end;
            }
        }

        foreach ((int write, long block) in present)
        {
            if (absent.Contains((write, block)))
            {
                return string.Create(CultureInfo.InvariantCulture, $"of write #{_pending[write].Write} a part of its block {block} is there, and a part is not");
            }
        }

        return newest >= 0 && missing >= 0 && _pending[missing].Ended < _pending[newest].Began
            ? string.Create(CultureInfo.InvariantCulture, $"write #{_pending[newest].Write} is there, and write #{_pending[missing].Write}, which had returned before it began, is not all there")
            : null;
    }

    /// <summary>The last change that bytes may be of; -1 if it is none since what is durable.</summary>
    private int FindWrite(ReadOnlySpan<byte> bytes, long start)
    {
        for (int i = _pending.Count - 1; i >= 0; i--)
        {
            ContentOperation operation = _pending[i];
            bool isOfIt = operation.Change == ContentChange.Write ? Tag.Match(bytes, operation.Write, start - operation.Offset) == bytes.Length : IsZero(bytes);
            if (isOfIt && operation.Touches(start, start + bytes.Length))
            {
                return i;
            }
        }

        return -1;
    }

    private int Later(int one, int other, Func<ContentOperation, long> time) => one < 0 || time(_pending[other]) > time(_pending[one]) ? other : one;
}
