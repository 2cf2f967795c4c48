using System.Globalization;

namespace Penstock.Bench.Comparing;

/// <summary>The whole comparison: pair by pair, A B A B, row after row.</summary>
internal static class Comparison
{
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

        Contest[] contests = [.. RowTable.All.Where(c => options.Only.Count == 0 || c.Rows.Any(r => options.Only.Any(o => r.Name.Contains(o, StringComparison.Ordinal))))];
        if (options.OnlyLists)
        {
            Array.ForEach([.. contests.SelectMany(c => c.Rows)], r => Console.WriteLine($"{r.Name,-24} {r.Work}; {r.Peer}"));
            return 0;
        }

        if (contests.Length == 0)
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

            if (options.Only.Count == 0 || options.Only.Contains("depth"))
            {
                await DepthSweep.RunAsync(place, report);
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
