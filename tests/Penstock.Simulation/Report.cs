using System.Text.Json;

namespace Penstock.Simulation;

/// <summary>Tells what was found, to people and to programs.</summary>
internal static class Report
{
    private const int MostLines = 150;

    public static void Print(Finding finding)
    {
        Console.WriteLine($"VIOLATION in {finding.Scenario.Name}, seed {finding.Seed}: {finding.Violation}");
        Console.WriteLine($"  replay:  {finding.Replay}");
        if (finding.ShrunkReplay is null)
        {
            return;
        }

        Console.WriteLine($"  shrunk to {finding.Shrunk!.Operations.Count} operations on {finding.Shrunk.Shape.Name}:");
        Console.WriteLine($"  replay:  {finding.ShrunkReplay}");
        Console.WriteLine();
        Console.WriteLine($"{"step",7}  {"who",-10} what");
        int skipped = Math.Max(0, finding.Timeline.Count - MostLines);
        if (skipped > 0)
        {
            Console.WriteLine($"         ({skipped} lines before; the replay shows them)");
        }

        foreach (string line in finding.Timeline.Skip(skipped))
        {
            Console.WriteLine(line);
        }

        Console.WriteLine();
    }

    public static void PrintSummary(Simulator simulator)
    {
        string found = simulator.Findings.Count == 0 ? "nothing found" : $"{simulator.Findings.Count} violation{(simulator.Findings.Count == 1 ? "" : "s")} found";
        Console.WriteLine(
            $"{simulator.Seeds} seeds, {simulator.Operations} operations in {simulator.Elapsed.TotalSeconds:0.0} s "
            + $"({simulator.Operations / Math.Max(simulator.Elapsed.TotalSeconds, 1e-3):0}/s), trace {simulator.TraceHash:x16}: {found}");
    }

    public static void PrintJson(Simulator simulator)
    {
        using var stream = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("traceHash", simulator.TraceHash.ToString("x16"));
            writer.WriteNumber("seeds", simulator.Seeds);
            writer.WriteNumber("operations", simulator.Operations);
            writer.WriteNumber("seconds", Math.Round(simulator.Elapsed.TotalSeconds, 3));
            writer.WriteStartArray("violations");
            foreach (Finding finding in simulator.Findings)
            {
                Write(writer, finding);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    private static void Write(Utf8JsonWriter writer, Finding finding)
    {
        writer.WriteStartObject();
        writer.WriteString("scenario", finding.Scenario.Name);
        writer.WriteNumber("seed", finding.Seed);
        writer.WriteString("what", finding.Violation);
        writer.WriteString("replay", finding.Replay);
        if (finding.ShrunkReplay is { } shrunk)
        {
            writer.WriteNumber("shrunkOperations", finding.Shrunk!.Operations.Count);
            writer.WriteString("shrunkReplay", shrunk);
        }

        writer.WriteEndObject();
    }
}
