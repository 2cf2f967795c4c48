namespace Penstock.Bench.Comparing;

/// <summary>All pairs of one row, and what they say.</summary>
internal sealed class PairResult
{
    /// <summary>A row whose interval reaches further than this to either side of its median has decided nothing.</summary>
    private const double WidestHalf = 0.03;
    private const int FewestPairs = 15;

    private readonly double[] _ratios;

    public PairResult(Row row, IReadOnlyList<(Sample Ours, Sample Theirs)> pairs)
    {
        Row = row;
        Pairs = pairs;
        _ratios = [.. pairs.Select(p => p.Ours.Rate / p.Theirs.Rate).Order()];
        Ours = Middle(pairs.Select(p => p.Ours));
        Theirs = Middle(pairs.Select(p => p.Theirs));
    }

    public Row Row { get; }

    public IReadOnlyList<(Sample Ours, Sample Theirs)> Pairs { get; }

    /// <summary>The medians, each figure on its own.</summary>
    public Sample Ours { get; }

    /// <inheritdoc cref="Ours"/>
    public Sample Theirs { get; }

    public double Ratio => MedianOf(_ratios);

    /// <summary>The ends of the interval that holds the true median with 95 % certainty whatever the distribution: order statistics.</summary>
    public (double Low, double High) Interval
    {
        get
        {
            int rank = LowRank(_ratios.Length);
            return (_ratios[rank], _ratios[^(rank + 1)]);
        }
    }

    public double HalfWidth => (Interval.High - Interval.Low) / 2 / Ratio;

    public string Verdict =>
        Pairs.Count < FewestPairs ? "undecided: too few pairs"
        : HalfWidth > WidestHalf ? $"undecided: spread {HalfWidth:P1}"
        : Row.Target == 0 ? "no target"
        : Ratio >= Row.Target ? "met"
        : "short";

    private static int LowRank(int count)
    {
        // The largest rank r with P(fewer than r + 1 of count fair coins are heads) <= 2.5 %.
        double chance = Math.Pow(0.5, count);
        double below = 0;
        int rank = 0;
        for (int k = 0; k < count / 2; k++)
        {
            below += chance;
            if (below > 0.025)
            {
                break;
            }

            rank = k;
            chance *= (count - k) / (k + 1.0);
        }

        return rank;
    }

    private static Sample Middle(IEnumerable<Sample> samples)
    {
        Sample[] all = [.. samples];
        double[] latency = all[0].Latency.Length == 0 ? [] : [.. Enumerable.Range(0, 3).Select(i => MedianOf(all.Select(s => s.Latency[i])))];
        double? allocated = all[0].AllocatedBytes is null ? null : MedianOf(all.Select(s => s.AllocatedBytes ?? 0));
        return new Sample(MedianOf(all.Select(s => s.Rate)), MedianOf(all.Select(s => s.ProcessorMicroseconds)), allocated, latency);
    }

    private static double MedianOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
