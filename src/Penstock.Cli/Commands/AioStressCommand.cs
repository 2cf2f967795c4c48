using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Stress.AioStress;
using Penstock.Stress.Fsx;
using Penstock.Stress.Targets;

namespace Penstock.Cli.Commands;

/// <summary><c>aio-stress</c>: many requests in flight, measured, every block verified. Exit code 0: nothing wrong; 1: corruption; 2: it could not run.</summary>
internal sealed class AioStressCommand : Command
{
    private const int CouldNotRun = ExitCode.Usage;
    private static readonly double[] s_percentiles = [50, 90, 99, 99.9, 100];

    private readonly Terminal _terminal;
    private readonly Argument<string> _target = new("TARGET")
    {
        Description = "A folder of any mounted file system; or VOLUME:/PATH, a folder or file (whose content is lost) in a volume, in process.",
    };

    private readonly Option<string> _size = new("--size") { Description = "The length of each file; 64M if left out.", HelpName = "SIZE" };
    private readonly Option<string> _request = new("--request-size") { Description = "The length of a request; 64K if left out.", HelpName = "SIZE" };
    private readonly Option<int> _files = Number("--files", 1, "How many files.");
    private readonly Option<int> _threads = Number("--threads", 1, "How many threads; the files are dealt out among them.");
    private readonly Option<int> _depth = Number("--depth", 64, "Requests of a thread in flight.");
    private readonly Option<int> _batch = Number("--batch", 8, "Requests submitted together.");
    private readonly Option<bool> _buffered = new("--buffered") { Description = "Through the cache; O_DIRECT otherwise." };
    private readonly Option<bool> _sync = new("--sync") { Description = "Each write is durable when it completes (O_DSYNC)." };
    private readonly Option<bool> _shared = new("--shared-context") { Description = "One context (ring) for all threads; one for each otherwise." };
    private readonly Option<bool> _noVerify = new("--no-verify") { Description = "Do not compare what is read." };
    private readonly Option<string[]> _stages = new("--stage") { Description = "Only this: write, read, random-write, random-read.", HelpName = "STAGE" };
    private readonly Option<ulong> _seed = new("--seed") { DefaultValueFactory = _ => 1, Description = "Where random orders come from.", HelpName = "S" };
    private readonly Option<bool> _json = new("--json") { Description = "Print the results as JSON." };

    public AioStressCommand(Terminal terminal)
        : base("aio-stress", "Read and write files with many requests in flight: speed, latency, and every block verified.")
    {
        _terminal = terminal;
        Arguments.Add(_target);
        foreach (Option option in (Option[])[_size, _request, _files, _threads, _depth, _batch, _buffered, _sync, _shared, _noVerify, _stages, _seed, _json])
        {
            Options.Add(option);
        }

        SetAction(RunAsync);
    }

    private static Option<int> Number(string name, int value, string description) =>
        new(name) { DefaultValueFactory = _ => value, Description = description, HelpName = "N" };

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(parsed, new AioProgress(cancellationToken));
        }
        catch (AioCorruptionException e)
        {
            _terminal.Error.WriteLine($"penstock aio-stress: CORRUPTION: {e.Message}");
            return ExitCode.Failure;
        }
        catch (OperationCanceledException)
        {
            _terminal.Error.WriteLine("penstock aio-stress: interrupted; nothing wrong so far");
            return CouldNotRun;
        }
        catch (Exception e)
        {
            ErrorLine.Print(_terminal, Name, e);
            return CouldNotRun;
        }
    }

    private async Task<int> RunAsync(ParseResult parsed, AioProgress progress)
    {
        AioOptions options = ToOptions(parsed);
        using StressFolder folder = await StressPlace.OpenAsync(parsed.GetRequiredValue(_target), cacheBytes: null);
        options = FitDirect(folder, options);
        bool isJson = parsed.GetValue(_json);
        Say(isJson, $"aio-stress: {folder.Description}: {Describe(options, folder)}");
        Say(isJson, $"{"stage",-13}{"MiB/s",10}{"requests/s",12}{"p50 us",10}{"p90 us",10}{"p99 us",10}{"p99.9 us",10}{"max us",10}  verified");
        var run = new AioRun(folder, options, progress);
        using var line = new LiveLine(_terminal);
        Task<IReadOnlyList<StageResult>> work = Task.Factory.StartNew(
            () => run.Run(r => Say(isJson, Row(r))), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        IReadOnlyList<StageResult> results = await line.WhileAsync(work, () => $"{progress.Stage.ToWord()}: {ByteCount.Describe(progress.Bytes)}");
        if (isJson)
        {
            JsonOutput.Write(_terminal, writer => WriteJson(writer, folder, options, results));
        }

        string what = options.Verifies ? $"{results.Sum(r => r.Verified)} blocks verified" : "nothing was verified, as asked";
        Say(isJson, $"aio-stress: nothing wrong: {ByteCount.Describe(results.Sum(r => r.Bytes))} moved, {what}");
        return ExitCode.Success;
    }

    private static AioOptions FitDirect(StressFolder folder, AioOptions options)
    {
        if (!options.IsDirect)
        {
            return options;
        }

        TargetAbilities abilities = AbilityProbe.Run(folder, new FsxOptions());
        int alignment = abilities.DirectAlignment;
        return alignment == 0 ? options with { IsDirect = false }
            : options.RequestSize % alignment == 0 ? options
            : throw new UsageException($"--request-size is a multiple of {alignment} bytes for direct I/O there; or use --buffered");
    }

    private static string Describe(AioOptions options, StressFolder folder)
    {
        int files = Math.Max(options.Files, options.Threads);
        string counted = files == 1 ? "1 file" : $"{files} files";
        return $"{counted} of {ByteCount.Describe(options.Size)}, requests of {ByteCount.Describe(options.RequestSize)}, depth {options.Depth}, batch {options.Batch}, "
            + $"{options.Threads} thread(s), {(options.IsDirect ? "direct" : "buffered")}{(options.IsSync ? ", durable" : string.Empty)}, "
            + $"{(options.SharesContext ? "one shared context" : "a context each")} ({folder.QueueDescription})";
    }

    private static string Row(StageResult result)
    {
        string percentiles = string.Concat(s_percentiles.Select(p => string.Create(CultureInfo.InvariantCulture, $"{result.Microseconds(p),10:F0}")));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Stage.ToWord(),-13}{result.BytesPerSecond / (1 << 20),10:F1}{result.RequestsPerSecond,12:F0}{percentiles}  {result.Verified}");
    }

    private static void WriteJson(Utf8JsonWriter writer, StressFolder folder, AioOptions options, IReadOnlyList<StageResult> results)
    {
        writer.WriteStartObject();
        writer.WriteString("target", folder.Name);
        writer.WriteString("description", folder.Description);
        writer.WriteNumber("size", options.Size);
        writer.WriteNumber("requestSize", options.RequestSize);
        writer.WriteNumber("files", Math.Max(options.Files, options.Threads));
        writer.WriteNumber("threads", options.Threads);
        writer.WriteNumber("depth", options.Depth);
        writer.WriteNumber("batch", options.Batch);
        writer.WriteBoolean("direct", options.IsDirect);
        writer.WriteBoolean("sync", options.IsSync);
        writer.WriteBoolean("sharedContext", options.SharesContext);
        writer.WriteBoolean("verify", options.Verifies);
        writer.WriteStartArray("stages");
        foreach (StageResult result in results)
        {
            writer.WriteStartObject();
            writer.WriteString("stage", result.Stage.ToWord());
            writer.WriteNumber("bytes", result.Bytes);
            writer.WriteNumber("requests", result.Requests);
            writer.WriteNumber("verifiedBlocks", result.Verified);
            writer.WriteNumber("seconds", result.Elapsed.TotalSeconds);
            writer.WriteNumber("flushSeconds", result.FlushElapsed.TotalSeconds);
            writer.WriteNumber("bytesPerSecond", result.BytesPerSecond);
            writer.WriteNumber("requestsPerSecond", result.RequestsPerSecond);
            writer.WriteStartObject("latencyMicroseconds");
            foreach (double percentile in s_percentiles)
            {
                writer.WriteNumber(percentile == 100 ? "max" : string.Create(CultureInfo.InvariantCulture, $"p{percentile}"), result.Microseconds(percentile));
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void Say(bool isJson, string line)
    {
        if (!isJson)
        {
            _terminal.Out.WriteLine(line);
            _terminal.Out.Flush();
        }
    }

    private AioOptions ToOptions(ParseResult parsed)
    {
        var options = new AioOptions
        {
            Size = parsed.GetValue(_size) is { } size ? ByteSize.Parse(size) : 64 << 20,
            RequestSize = parsed.GetValue(_request) is { } request ? (int)Math.Min(ByteSize.Parse(request), int.MaxValue) : 64 << 10,
            Files = Within(parsed, _files, 1, FsxOptions.MaxFiles),
            Threads = Within(parsed, _threads, 1, FsxOptions.MaxFiles),
            Depth = Within(parsed, _depth, 1, 4096),
            Batch = Within(parsed, _batch, 1, 4096),
            IsDirect = !parsed.GetValue(_buffered),
            IsSync = parsed.GetValue(_sync),
            SharesContext = parsed.GetValue(_shared),
            Verifies = !parsed.GetValue(_noVerify),
            Seed = parsed.GetValue(_seed),
        };
        if (options.RequestSize is < 512 or > FsxOptions.MostTransfer || options.RequestSize % 8 != 0)
        {
            throw new UsageException("--request-size is from 512 to 64M, a multiple of 8");
        }

        return parsed.GetValue(_stages) is { Length: > 0 } stages ? options with { Stages = [.. stages.Select(ParseStage)] } : options;
    }

    private static AioStage ParseStage(string word) =>
        Enum.GetValues<AioStage>().Cast<AioStage?>().FirstOrDefault(s => s!.Value.ToWord() == word)
        ?? throw new UsageException($"'{word}' is no stage; they are write, read, random-write and random-read");

    private static int Within(ParseResult parsed, Option<int> option, int least, int most) => parsed.GetValue(option) is var n && n >= least && n <= most
        ? n
        : throw new UsageException($"{option.Name} is from {least} to {most}");
}
