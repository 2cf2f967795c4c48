using System.CommandLine;
using System.Globalization;
using Penstock.Cli.Measuring;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>bench</c>: one measurement of a file.</summary>
internal sealed class BenchCommand : Command
{
    private const int MostLanes = 4096;

    private readonly Terminal _terminal;
    private readonly Argument<string> _target = new("TARGET") { Description = "A file of a volume, VOLUME:/PATH, or of the host; made if absent." };
    private readonly Option<string> _pattern = new("--rw")
    {
        Description = $"The requests: {BenchPattern.Names}.",
        DefaultValueFactory = _ => "randread",
    };

    private readonly Option<string> _blockSize = new("--bs") { Description = "The bytes of a request.", DefaultValueFactory = _ => "4k" };
    private readonly Option<string?> _size = new("--size") { Description = "The bytes of the file that are used; default: the length it has, or 1G." };
    private readonly Option<int> _depth = new("--depth") { Description = "Requests in flight, for each job.", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _jobs = new("--jobs") { Description = "Jobs at once.", DefaultValueFactory = _ => 1 };
    private readonly Option<bool> _direct = new("--direct") { Description = "Direct I/O, past the page cache." };
    private readonly Option<bool> _dataSync = new("--dsync") { Description = "Each write is durable when it completes." };
    private readonly Option<bool> _flush = new("--fsync") { Description = "Flush after each write." };
    private readonly Option<bool> _once = new("--once") { Description = "Use each block once, in place of a time; sequential patterns only." };
    private readonly Option<bool> _blocking = new("--blocking") { Description = "Each request blocks a thread, in place of being awaited." };
    private readonly Option<bool> _registered = new("--registered") { Description = "Memory that is registered with the kernel, for direct I/O in process." };
    private readonly Option<double> _time = new("--time") { Description = "Seconds to measure.", DefaultValueFactory = _ => 5 };
    private readonly Option<double> _warmUp = new("--warm-up") { Description = "Seconds before that.", DefaultValueFactory = _ => 1 };
    private readonly Option<bool> _preread = new("--preread") { Description = "Read the file through before, so that it is cached as far as it fits." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public BenchCommand(Terminal terminal)
        : base("bench", "Measure reads and writes of a file; writing patterns overwrite what is in it.")
    {
        _terminal = terminal;
        Arguments.Add(_target);
        Option[] options = [_pattern, _blockSize, _size, _depth, _jobs, _direct, _dataSync, _flush, _blocking, _registered, _time, _once, _warmUp, _preread, _json];
        foreach (Option option in options)
        {
            Options.Add(option);
        }

        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string name = parsed.GetRequiredValue(_target);
        BenchPlan plan = Plan(parsed);
        long? size = parsed.GetValue(_size) is { } text ? ByteSize.Parse(text) : null;
        await using BenchTarget target = await OpenAsync(name, plan, size, cancellationToken);
        plan = plan with { Size = size ?? (target.Length > 0 ? target.Length : plan.Size) };
        if (plan.IsOnce && (plan.Pattern.IsRandom || plan.Pattern.Appends))
        {
            throw new UsageException($"--once is for sequential patterns, not for {plan.Pattern.Name}");
        }

        if (plan.Blocks < plan.Jobs)
        {
            throw new UsageException($"{plan.Size} bytes are less than a request for each job");
        }

        if (!plan.Pattern.Appends)
        {
            await BenchRun.LayOutAsync(target, plan.Size, _terminal, cancellationToken);
        }

        if (parsed.GetValue(_preread))
        {
            await BenchRun.ReadThroughAsync(target, plan.Size, cancellationToken);
        }

        BenchResult result = await BenchRun.RunAsync(plan, target, cancellationToken);
        if (parsed.GetValue(_json))
        {
            WriteJson(name, plan, target, result);
        }
        else
        {
            WriteText(name, plan, target, result);
        }

        return ExitCode.Success;
    }

    private BenchPlan Plan(ParseResult parsed)
    {
        var plan = new BenchPlan
        {
            Pattern = BenchPattern.Parse(parsed.GetValue(_pattern)!),
            BlockSize = (int)Within("--bs", ByteSize.Parse(parsed.GetValue(_blockSize)!), 1, 1 << 30),
            Size = 1 << 30,
            Depth = (int)Within("--depth", parsed.GetValue(_depth), 1, MostLanes),
            Jobs = (int)Within("--jobs", parsed.GetValue(_jobs), 1, MostLanes),
            IsDirect = parsed.GetValue(_direct),
            IsDataSync = parsed.GetValue(_dataSync),
            IsFlushing = parsed.GetValue(_flush),
            IsOnce = parsed.GetValue(_once),
            IsBlocking = parsed.GetValue(_blocking),
            IsRegistered = parsed.GetValue(_registered),
            WarmUp = TimeSpan.FromSeconds(Within("--warm-up", parsed.GetValue(_warmUp), 0, 86400)),
            Duration = TimeSpan.FromSeconds(Within("--time", parsed.GetValue(_time), 0.01, 86400)),
        };
        Within("--depth times --jobs", plan.Depth * plan.Jobs, 1, MostLanes);
        return plan;
    }

    private async ValueTask<BenchTarget> OpenAsync(string name, BenchPlan plan, long? size, CancellationToken cancellationToken)
    {
        if (!File.Exists(name) && VolumePath.TryParse(name, out VolumePath path))
        {
            return await OpenFileTarget.OpenAsync(_terminal, path, plan.Options, cancellationToken);
        }

        _terminal.Subject = name;
        if (!plan.IsDirect)
        {
            return HostFileTarget.Open(name, plan.IsDataSync);
        }

        // A device does not grow: the file gets its length first.
        await using (var file = HostFileTarget.Open(name, isDataSync: false))
        {
            await BenchRun.LayOutAsync(file, size ?? (file.Length > 0 ? file.Length : plan.Size), _terminal, cancellationToken);
        }

        return await OpenFileTarget.OpenHostAsync(name, plan.Options);
    }

    private static double Within(string option, double value, double least, double most) => value >= least && value <= most
        ? value
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} is {value}; it must be from {least} to {most}"));

    private void WriteJson(string name, BenchPlan plan, BenchTarget target, BenchResult result) => JsonOutput.Write(_terminal, writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("target", name);
        writer.WriteString("device", target.Device);
        writer.WriteString("rw", plan.Pattern.Name);
        writer.WriteNumber("bs", plan.BlockSize);
        writer.WriteNumber("size", plan.Size);
        writer.WriteNumber("depth", plan.Depth);
        writer.WriteNumber("jobs", plan.Jobs);
        writer.WriteBoolean("direct", plan.IsDirect);
        writer.WriteNumber("operations", result.Operations);
        writer.WriteNumber("seconds", Math.Round(result.Seconds, 4));
        writer.WriteNumber("iops", Math.Round(result.OperationsPerSecond, 1));
        writer.WriteNumber("bytes_per_second", Math.Round(result.OperationsPerSecond * plan.BlockSize));
        writer.WriteStartObject("latency_us");
        writer.WriteNumber("p50", result.LatencyAt(50));
        writer.WriteNumber("p99", result.LatencyAt(99));
        writer.WriteNumber("p999", result.LatencyAt(99.9));
        writer.WriteNumber("max", result.MaximumLatency);
        writer.WriteEndObject();
        writer.WriteNumber("cpu_us_per_op", Math.Round(result.ProcessorPerOperation, 3));
        writer.WriteNumber("allocated_bytes_per_op", Math.Round(result.AllocatedPerOperation, 3));
        writer.WriteEndObject();
    });

    private void WriteText(string name, BenchPlan plan, BenchTarget target, BenchResult result)
    {
        _terminal.Out.WriteLine($"{name}: {target.Device}");
        _terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{plan.Pattern.Name}, {plan.BlockSize} bytes, depth {plan.Depth}, jobs {plan.Jobs}{(plan.IsDirect ? ", direct" : "")}: "
            + $"{result.OperationsPerSecond:F0} a second, {result.OperationsPerSecond * plan.BlockSize / 1e6:F1} MB/s"));
        _terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"latency in us: {result.LatencyAt(50):F1} median, {result.LatencyAt(99):F1} p99, {result.LatencyAt(99.9):F1} p99.9, {result.MaximumLatency:F1} most"));
        _terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"for each: {result.ProcessorPerOperation:F2} us of processor, {result.AllocatedPerOperation:F2} bytes allocated"));
    }
}
