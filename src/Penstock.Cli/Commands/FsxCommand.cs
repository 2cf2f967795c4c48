using System.CommandLine;
using System.Globalization;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Stress.Fsx;
using Penstock.Stress.Targets;

namespace Penstock.Cli.Commands;

/// <summary><c>fsx</c>: random operations on files, every byte checked. Exit code 0: nothing wrong; 1: corruption; 2: it could not run.</summary>
internal sealed class FsxCommand : Command
{
    private const int CouldNotRun = ExitCode.Usage;
    private const int Corruption = ExitCode.Failure;

    private readonly Terminal _terminal;
    private readonly Argument<string> _target = new("TARGET")
    {
        Description = "A folder of any mounted file system; or VOLUME:/PATH, a folder or file (whose content is lost) in a volume, in process.",
    };

    private readonly Option<long> _ops = Number("--ops", 20_000, "How many operations.", "N");
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Where all choices come from; a new one if left out.", HelpName = "S" };
    private readonly Option<string> _replay = new("--replay") { Description = "Replay a log instead.", HelpName = "LOG" };
    private readonly Option<string> _log = new("--log") { Description = "Where the log of a failure goes; ./fsx-SEED.log if left out.", HelpName = "FILE" };
    private readonly Option<long?> _seconds = new("--seconds") { Description = "Stop after so long, however many operations.", HelpName = "N" };
    private readonly Option<string> _maxLength = new("--max-length") { Description = "The longest file; 256K if left out.", HelpName = "SIZE" };
    private readonly Option<string> _maxTransfer = new("--max-transfer") { Description = "The longest transfer; 64K if left out.", HelpName = "SIZE" };
    private readonly Option<string> _align = new("--align") { Description = "Offsets and lengths are multiples of it.", HelpName = "SIZE" };
    private readonly Option<string> _directAlign = new("--direct-align") { Description = "The same for direct I/O; found out if left out.", HelpName = "SIZE" };
    private readonly Option<long> _files = Number("--files", 1, "Files of each thread.", "N");
    private readonly Option<long> _threads = Number("--threads", 1, "Threads, each with its own files.", "N");
    private readonly Option<long> _depth = Number("--depth", 8, "Transfers in flight together, where they do not overlap.", "N");
    private readonly Option<bool> _mixed = new("--mixed") { Description = "Direct and buffered transfers in flight together, on different pages." };
    private readonly Option<long> _check = Number("--check", 1_000, "Compare everything after so many operations.", "N");
    private readonly Option<string> _cache = new("--cache") { Description = "The page cache of a volume in process, such as 1M.", HelpName = "SIZE" };
    private readonly Option<long> _shrink = Number("--shrink", 30, "Seconds that shrinking a failure may take; 0: leave it whole.", "N");
    private readonly Option<string[]> _weights = new("--weight")
    {
        Description = "How often a kind of operation is chosen (punch=50), or in how many of a hundred transfers a mode (direct=50).", HelpName = "KIND=N",
    };

    private readonly Dictionary<string, Option<bool>> _skips;

    public FsxCommand(Terminal terminal)
        : base("fsx", "Run random operations on files of any file system and check every byte.")
    {
        _terminal = terminal;
        _skips = FsxWeights.Words.ToDictionary(w => w, w => new Option<bool>($"--no-{w}") { Description = $"Leave out: {w}." });
        Arguments.Add(_target);
        foreach (Option option in (Option[])[_ops, _seed, _replay, _log, _seconds, _maxLength, _maxTransfer, _align, _directAlign, _files, _threads,
            _depth, _mixed, _check, _cache, _shrink, _weights, .. _skips.Values])
        {
            Options.Add(option);
        }

        SetAction(RunAsync);
    }

    private static Option<long> Number(string name, long value, string description, string helpName) =>
        new(name) { DefaultValueFactory = _ => value, Description = description, HelpName = helpName };

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var progress = new FsxProgress(cancellationToken);
        try
        {
            return await RunAsync(parsed, progress);
        }
        catch (OperationCanceledException)
        {
            _terminal.Error.WriteLine($"penstock fsx: interrupted after {progress.Operations} operations; nothing wrong so far");
            return CouldNotRun;
        }
        catch (Exception e)
        {
            ErrorLine.Print(_terminal, Name, e);
            return CouldNotRun;
        }
    }

    private async Task<int> RunAsync(ParseResult parsed, FsxProgress progress)
    {
        FsxOptions options = ToOptions(parsed);
        FsxLog? log = parsed.GetValue(_replay) is { } path ? FsxLog.Read(path, options) : null;
        options = log?.Options ?? options;
        string target = parsed.GetRequiredValue(_target);
        using StressFolder folder = await StressPlace.OpenAsync(target, parsed.GetValue(_cache) is { } cache ? ByteSize.Parse(cache) : null);
        var run = new FsxRun(folder, options, progress);
        run.Prepare();
        _terminal.Out.WriteLine(Opening(folder, run, options, log));
        _terminal.Out.Flush();
        using var line = new LiveLine(_terminal);
        Task<FsxFinding?> work = Task.Factory.StartNew(
            () => log is null ? run.Run() : run.Replay(log), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (await line.WhileAsync(work, () => Live(progress, options, log)) is { } finding)
        {
            Tell(finding, options, target, parsed.GetValue(_log) ?? FormattableString.Invariant($"fsx-{options.Seed}.log"));
            return Corruption;
        }

        _terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"fsx: nothing wrong: {progress.Operations} operations, {ByteCount.Describe(progress.Bytes)}, {progress.Elapsed.TotalSeconds:F1} s, seed {options.Seed}"));
        return ExitCode.Success;
    }

    private static string Opening(StressFolder folder, FsxRun run, FsxOptions options, FsxLog? log)
    {
        string work = log is null ? $"{options.Operations} operations, seed {options.Seed}" : $"{log.Operations.Count} operations of a log";
        string direct = run.Abilities.DirectAlignment > 0 ? $"direct I/O by {run.Abilities.DirectAlignment}" : "no direct I/O";
        string refused = run.Abilities.Refused.Count > 0 ? $"; refused there, so left out: {string.Join(", ", run.Abilities.Refused)}" : string.Empty;
        return $"fsx: {folder.Description}: {work}; {direct}{refused}";
    }

    private static string Live(FsxProgress progress, FsxOptions options, FsxLog? log)
    {
        if (progress.IsShrinking)
        {
            return "fsx: something is wrong; shrinking the log";
        }

        double rate = progress.Operations / Math.Max(progress.Elapsed.TotalSeconds, 0.001);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"fsx: {progress.Operations} of {log?.Operations.Count ?? options.Operations} operations, {ByteCount.Describe(progress.Bytes)}, {rate:F0}/s");
    }

    private void Tell(FsxFinding finding, FsxOptions options, string target, string path)
    {
        IReadOnlyList<FsxOperation> operations = finding.Shrunk?.Operations ?? finding.Log;
        Discrepancy found = finding.Shrunk?.Found ?? finding.Found;
        _terminal.Out.Write(FsxReport.Describe(finding.Found, finding.Log));
        if (finding.Shrunk is not null)
        {
            _terminal.Out.WriteLine($"shrunk from {finding.Log.Count} to {operations.Count} operations in {finding.Replays} replays:");
            _terminal.Out.Write(FsxReport.Describe(found, operations));
        }
        else if (finding.Replays > 0)
        {
            _terminal.Out.WriteLine($"it did not come again in {finding.Replays} replays: a matter of timing; the log is whole");
        }

        string full = Path.GetFullPath(path);
        new FsxLog(options, operations).Write(full, Environment.ProcessPath ?? "penstock", Directory.Exists(target) ? Path.GetFullPath(target) : target, FsxReport.Headline(found));
        _terminal.Out.WriteLine($"fsx: CORRUPTION, seed {options.Seed}: {finding.Found.What}; {operations.Count} operations in {path}; replay: sh {FsxLog.Quote(full)}");
    }

    private FsxOptions ToOptions(ParseResult parsed) => new()
    {
        Operations = Within(parsed, _ops, 1, long.MaxValue),
        Seed = parsed.GetValue(_seed) ?? (ulong)Random.Shared.Next(1, int.MaxValue),
        Time = parsed.GetValue(_seconds) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        MaxLength = Size(parsed, _maxLength, 256 << 10, FsxOptions.MostLength),
        MaxTransfer = (int)Size(parsed, _maxTransfer, 64 << 10, FsxOptions.MostTransfer),
        Alignment = (int)Size(parsed, _align, 1, 1 << 20),
        DirectAlignment = (int)Size(parsed, _directAlign, 0, 1 << 20),
        Files = (int)Within(parsed, _files, 1, FsxOptions.MaxFiles),
        Threads = (int)Within(parsed, _threads, 1, 1024),
        Depth = (int)Within(parsed, _depth, 1, FsxOptions.MaxDepth),
        MixesModes = parsed.GetValue(_mixed),
        CheckInterval = (int)Within(parsed, _check, 1, int.MaxValue),
        ShrinkTime = TimeSpan.FromSeconds(Within(parsed, _shrink, 0, 86_400)),
        Weights = (parsed.GetValue(_weights) ?? []).Select(ParseWeight).ToDictionary(w => w.Word, w => w.Weight),
        Skipped = _skips.Where(s => parsed.GetValue(s.Value)).Select(s => s.Key).ToHashSet(),
    };

    private static long Within(ParseResult parsed, Option<long> option, long least, long most) => parsed.GetValue(option) is var n && n >= least && n <= most
        ? n
        : throw new UsageException($"{option.Name} is from {least} to {most}");

    private static long Size(ParseResult parsed, Option<string> option, long value, long most)
    {
        long size = parsed.GetValue(option) is { } text ? ByteSize.Parse(text) : value;
        return size <= most ? size : throw new UsageException($"{option.Name} is at most {most} bytes");
    }

    private static (string Word, int Weight) ParseWeight(string text)
    {
        string[] pair = text.Split('=', 2);
        return pair.Length == 2 && FsxWeights.Words.Contains(pair[0])
            && int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out int weight) && weight <= 1_000_000
            ? (pair[0], weight)
            : throw new UsageException($"'{text}' is no weight; write KIND=N, where KIND is one of: {string.Join(", ", FsxWeights.Words)}");
    }
}
