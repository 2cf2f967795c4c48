using System.Globalization;
using System.Text.Json;
using Penstock.Bench.Sizes;

namespace Penstock.Bench.Comparing;

/// <summary>What a comparison found, as a table, as JSON and as a page.</summary>
internal sealed class CompareReport
{
    public const string PageName = "compare.html";

    private readonly List<PairResult> _results = [];
    private readonly List<(Row Row, string Why)> _absent = [];
    private readonly List<(int Depth, Sample Ours, Sample Theirs)> _depths = [];

    private readonly List<(Limit Limit, double Found)> _limits = [];
    private readonly List<SizeSweep> _sizes = [];

    public static IReadOnlyList<string> Columns { get; } =
        ["work", "peer", "ours", "peer's", "ratio", "interval", "target", "verdict", "CPU us", "peer's", "bytes"];

    public IReadOnlyList<(int Depth, Sample Ours, Sample Theirs)> Depths => _depths;

    public IReadOnlyList<SizeSweep> Sizes => _sizes;

    /// <summary>Each limit as a sentence, and whether it was kept.</summary>
    public IEnumerable<(string Text, bool IsMet)> LimitLines => _limits.Select(l => (
        string.Create(CultureInfo.InvariantCulture, $"{l.Limit.Work}: {l.Found:0.#} {l.Limit.Unit}, at most {l.Limit.Most} wanted: {(l.Found <= l.Limit.Most ? "met" : "short")}"),
        l.Found <= l.Limit.Most));

    public void AddLimit(Limit limit, double found) => _limits.Add((limit, found));

    public void AddSizes(IEnumerable<SizeSweep> sweeps) => _sizes.AddRange(sweeps);

    public void Add(PairResult result) => _results.Add(result);

    public void AddAbsent(Row row, string why) => _absent.Add((row, why));

    public void AddDepth(int depth, Sample ours, Sample theirs) => _depths.Add((depth, ours, theirs));

    /// <summary>The cells of the table, row by row.</summary>
    public IEnumerable<string[]> Cells() => _results.Select(Describe)
        .Concat(_absent.Select(a => (string[])[a.Row.Work, a.Row.Peer, "", "", "", "", Text(a.Row.Target, "0.##"), a.Why.ReplaceLineEndings(" "), "", "", ""]));

    public void WriteTable(TextWriter output)
    {
        string[][] rows = [[.. Columns], .. Cells()];
        int[] widths = [.. Columns.Select((_, i) => rows.Max(r => Math.Min(r[i].Length, 60)))];
        foreach (string[] row in rows)
        {
            output.WriteLine(string.Join("  ", row.Select((cell, i) => i < 2 || i == 7 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd());
        }

        foreach ((string text, _) in LimitLines)
        {
            output.WriteLine(text);
        }
    }

    public async Task WriteAsync(string folder)
    {
        await using (FileStream json = File.Create(Path.Combine(folder, "compare.json")))
        {
            WriteJson(json);
        }

        await File.WriteAllTextAsync(Path.Combine(folder, PageName), ComparePage.Render(this));
    }

    private static string[] Describe(PairResult result) =>
    [
        result.Row.Work,
        result.Row.Peer,
        Text(result.Ours.Rate, result.Ours.Rate < 100 ? "0.###" : "0"),
        Text(result.Theirs.Rate, result.Theirs.Rate < 100 ? "0.###" : "0"),
        Text(result.Ratio, "0.000"),
        $"{Text(result.Interval.Low, "0.00")}..{Text(result.Interval.High, "0.00")}",
        Text(result.Row.Target, "0.##"),
        result.Verdict,
        Text(result.Ours.ProcessorMicroseconds, "0.##"),
        Text(result.Theirs.ProcessorMicroseconds, "0.##"),
        result.Ours.AllocatedBytes is { } bytes ? Text(bytes, "0.#") : "",
    ];

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static void WriteSample(Utf8JsonWriter writer, string name, Sample sample)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("rate", sample.Rate);
        writer.WriteNumber("cpu_us_per_op", sample.ProcessorMicroseconds);
        if (sample.AllocatedBytes is { } bytes)
        {
            writer.WriteNumber("allocated_bytes_per_op", bytes);
        }

        if (sample.Latency is [var median, var p99, var p999])
        {
            writer.WriteStartObject("latency_us");
            writer.WriteNumber("p50", median);
            writer.WriteNumber("p99", p99);
            writer.WriteNumber("p999", p999);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private void WriteJson(Stream stream)
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteNumber("processors", Environment.ProcessorCount);
        writer.WriteString("system", Environment.OSVersion.VersionString);
        writer.WriteStartArray("rows");
        foreach (PairResult result in _results)
        {
            writer.WriteStartObject();
            writer.WriteString("name", result.Row.Name);
            writer.WriteString("work", result.Row.Work);
            writer.WriteString("peer", result.Row.Peer);
            writer.WriteNumber("target", result.Row.Target);
            writer.WriteNumber("ratio", result.Ratio);
            writer.WriteNumber("low", result.Interval.Low);
            writer.WriteNumber("high", result.Interval.High);
            writer.WriteString("verdict", result.Verdict);
            writer.WriteNumber("pairs", result.Pairs.Count);
            WriteSample(writer, "ours", result.Ours);
            WriteSample(writer, "theirs", result.Theirs);
            writer.WriteEndObject();
        }

        foreach ((Row row, string why) in _absent)
        {
            writer.WriteStartObject();
            writer.WriteString("name", row.Name);
            writer.WriteString("verdict", why);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("depths");
        foreach ((int depth, Sample ours, Sample theirs) in _depths)
        {
            writer.WriteStartObject();
            writer.WriteNumber("depth", depth);
            WriteSample(writer, "ours", ours);
            WriteSample(writer, "theirs", theirs);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        WriteLimitsAndSizes(writer);
        writer.WriteEndObject();
    }

    private void WriteLimitsAndSizes(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("limits");
        foreach ((Limit limit, double found) in _limits)
        {
            writer.WriteStartObject();
            writer.WriteString("name", limit.Name);
            writer.WriteNumber("found", found);
            writer.WriteNumber("most", limit.Most);
            writer.WriteString("unit", limit.Unit);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("sizes_us");
        foreach (SizeSweep sweep in _sizes)
        {
            writer.WriteStartObject(sweep.Name);
            foreach ((string size, double microseconds) in sweep.Points)
            {
                writer.WriteNumber(size, Math.Round(microseconds, 3));
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }
}
