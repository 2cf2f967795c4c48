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

        Row[] rows = [.. RowTable.All.Where(r => options.Only.Count == 0 || options.Only.Any(o => r.Name.Contains(o, StringComparison.Ordinal)))];
        if (options.OnlyLists)
        {
            Array.ForEach(rows, r => Console.WriteLine($"{r.Name,-24} {r.Work}; {r.Peer}"));
            return 0;
        }

        if (rows.Length == 0)
        {
            Console.Error.WriteLine("compare: no row has such a name; see bench/compare --list");
            return 2;
        }

        var report = new CompareReport();
        Directory.CreateDirectory(options.ResultFolder);
        bool hasFailures = false;
        await using (Place place = await Place.MakeAsync(options.ScratchFolder, options.Penstock, options.IsQuick))
        {
            foreach (Row row in rows)
            {
                hasFailures |= !await RunRowAsync(row, place, options, report);
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

    private static async Task<bool> RunRowAsync(Row row, Place place, CompareOptions options, CompareReport report)
    {
        if (row.NeedsRoot && !Environment.IsPrivilegedProcess)
        {
            report.AddAbsent(row, "needs root");
            return true;
        }

        var pairs = new List<(Sample Ours, Sample Theirs)>();
        try
        {
            for (int i = 0; i < options.Pairs; i++)
            {
                Sample ours = await row.Ours(place);
                Sample theirs = await row.Theirs(place);
                pairs.Add((ours, theirs));
                Console.Error.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{row.Name} {i + 1}/{options.Pairs}: {ours.Rate:F2} against {theirs.Rate:F2}: {ours.Rate / theirs.Rate:F3}"));
            }
        }
        catch (InvalidOperationException e)
        {
            Console.Error.WriteLine($"{row.Name}: {e.Message}");
            report.AddAbsent(row, $"failed: {e.Message}");
            return false;
        }

        report.Add(new PairResult(row, pairs));
        return true;
    }
}
