using System.Globalization;
using Penstock.Bench.Sizes;

namespace Penstock.Bench.Comparing;

/// <summary>The whole comparison: pair by pair, A B A B, row after row.</summary>
internal static class Comparison
{
    private const string DepthChart = "depth";
    private const string SizeCharts = "sizes";

    private static readonly string[] s_charts = [DepthChart, SizeCharts];

    public static async Task<int> RunAsync(string[] arguments)
    {
        CompareOptions options;
        try
        {
            options = CompareOptions.Parse(arguments);
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"compare: {e.Message}; see bench/compare --help");
            return 2;
        }

        Contest[] contests = [.. RowTable.All.Where(c => c.Rows.Any(r => options.Wants(r.Name)))];
        if (options.OnlyLists)
        {
            IEnumerable<string> lines = contests.SelectMany(c => c.Rows).Select(r => $"{r.Name,-28} {r.Work}; {r.Peer}")
                .Concat(Limits.All.Where(l => options.Wants(l.Name)).Select(l => $"{l.Name,-28} {l.Work}; at most {l.Most} {l.Unit}"))
                .Concat(s_charts.Where(options.Wants).Select(name => $"{name,-28} a chart"));
            Console.WriteLine(string.Join('\n', lines));
            return 0;
        }

        if (contests.Length == 0 && !Limits.All.Any(l => options.Wants(l.Name)) && !s_charts.Any(options.Wants))
        {
            Console.Error.WriteLine("compare: no row has such a name; see bench/compare --list");
            return 2;
        }

        var report = new CompareReport();
        Directory.CreateDirectory(options.ResultFolder);
        bool hasFailures = false;
        await using (Place place = await Place.MakeAsync(options.ScratchFolder, options.Penstock, options.IsQuick))
        {
            foreach (Contest contest in contests)
            {
                hasFailures |= !await RunContestAsync(contest, place, options, report);
            }

            await Limits.RunAsync(place, options, report);
            if (options.Wants(DepthChart))
            {
                await DepthSweep.RunAsync(place, report);
            }

            if (options.Wants(SizeCharts))
            {
                report.AddSizes(await SizeSweeps.RunAsync(options.IsQuick));
            }
        }

        report.WriteTable(Console.Out);
        await report.WriteAsync(options.ResultFolder);
        Console.WriteLine($"\n{Path.Combine(options.ResultFolder, CompareReport.PageName)}");
        return hasFailures ? 1 : 0;
    }

    private static async Task<bool> RunContestAsync(Contest contest, Place place, CompareOptions options, CompareReport report)
    {
        if (contest.NeedsRoot && !Environment.IsPrivilegedProcess)
        {
            Array.ForEach(contest.Rows, row => report.AddAbsent(row, "needs root"));
            return true;
        }

        List<(Sample Ours, Sample Theirs)>[] pairs = [.. contest.Rows.Select(_ => new List<(Sample, Sample)>())];
        try
        {
            for (int i = 0; i < options.Pairs; i++)
            {
                Sample[] ours = await contest.Ours(place);
                Sample[] theirs = await contest.Theirs(place);
                for (int row = 0; row < contest.Rows.Length; row++)
                {
                    pairs[row].Add((ours[row], theirs[row]));
                    Console.Error.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{contest.Rows[row].Name} {i + 1}/{options.Pairs}: {ours[row].Rate:F2} against {theirs[row].Rate:F2}: {ours[row].Rate / theirs[row].Rate:F3}"));
                }
            }
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            Console.Error.WriteLine($"{contest.Rows[0].Name}: {e.Message}");
            Array.ForEach(contest.Rows, row => report.AddAbsent(row, $"failed: {e.Message}"));
            return false;
        }

        for (int row = 0; row < contest.Rows.Length; row++)
        {
            report.Add(new PairResult(contest.Rows[row], pairs[row]));
        }

        return true;
    }
}
