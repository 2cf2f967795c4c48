using System.Text.Json;

namespace Penstock.Simulation.Crash;

/// <summary>Tells what was found, to people and to programs.</summary>
internal static class CrashReport
{
    private const int LinesTold = 60;

    public static void Print(CrashFinding finding)
    {
        Console.WriteLine($"VIOLATION in {finding.Plan.Workload.Name} on {finding.Shape.Name}, seed {finding.Plan.Seed}, {finding.Place}:");
        Console.WriteLine($"  {finding.Problem}");
        Console.WriteLine($"  replay:  {finding.Replay}");
        if (finding.Log.Count > 0)
        {
            Console.WriteLine("  what happened before:");
            foreach (string line in finding.Log.Skip(Math.Max(0, finding.Log.Count - LinesTold)))
            {
                Console.WriteLine($"    {line}");
            }
        }

        if (finding.Fates.Count > 0)
        {
            Console.WriteLine("  what the loss of power made of the writes that no flush covered, in their order:");
            foreach (string line in finding.Fates)
            {
                Console.WriteLine($"    {line}");
            }
        }

        Console.WriteLine();
    }

    public static void PrintSummary(CrashTest test)
    {
        CrashTally tally = test.Tally;
        string found = test.Findings.Count == 0 ? "nothing found" : $"{test.Findings.Count} violation{(test.Findings.Count == 1 ? "" : "s")} found";
        Console.WriteLine(
            $"{test.Runs} runs, {tally.Points} moments, {tally.States} states recovered, {tally.Contents} different contents ({tally.Distinct} volumes), {tally.Outside} judged by others too, "
            + $"in {test.Elapsed.TotalSeconds:0.0} s ({tally.States / Math.Max(test.Elapsed.TotalSeconds, 1e-3):0} states/s): {found}");
    }

    public static void PrintJson(CrashTest test)
    {
        using Stream stream = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("runs", test.Runs);
            writer.WriteNumber("points", test.Tally.Points);
            writer.WriteNumber("states", test.Tally.States);
            writer.WriteNumber("distinct", test.Tally.Distinct);
            writer.WriteNumber("contents", test.Tally.Contents);
            writer.WriteNumber("judgedByE2fsck", test.Tally.Outside);
            writer.WriteNumber("seconds", Math.Round(test.Elapsed.TotalSeconds, 3));
            writer.WriteStartObject("shapes");
            foreach ((string shape, long states) in test.Tally.Shapes)
            {
                writer.WriteNumber(shape, states);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("violations");
            foreach (CrashFinding finding in test.Findings)
            {
                writer.WriteStartObject();
                writer.WriteString("workload", finding.Plan.Workload.Name);
                writer.WriteString("volume", finding.Shape.Name);
                writer.WriteNumber("seed", finding.Plan.Seed);
                writer.WriteNumber("point", finding.Point);
                writer.WriteString("what", finding.Problem);
                writer.WriteString("replay", finding.Replay);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
