using System.Diagnostics;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Checking;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>
/// One run with real threads: one for each client of a plan, all let go at once, on the library as it is in production. Then all files are read and judged, the
/// volume is closed, checked by the library and by e2fsck, and read once more. Nothing waits for time to pass; what does nothing at all for
/// <see cref="Patience"/> hangs.
/// </summary>
internal sealed class RaceRun
{
    private const int ReadLength = 32 * 1024;
    private const int OutsideShare = 12;

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    private readonly RaceWorld _world;
    private readonly RacePlan _plan;
    private readonly string _path;
    private int _nextId = 1_000_000;

    private RaceRun(RaceWorld world, RacePlan plan, string path)
    {
        _world = world;
        _plan = plan;
        _path = path;
    }

    /// <summary>How long nothing at all may happen.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(120);

    /// <summary>Runs a plan. Files that others are to see are made at a path, and deleted.</summary>
    /// <returns>What was wrong, or null; and how many operations were carried out.</returns>
    public static (string? Violation, long Operations) Execute(RacePlan plan, Scheduler scheduler, string path)
    {
        try
        {
            BlockDevice device = RaceDevices.MakeAsync(plan.Device, plan.Plan, plan.Seed, scheduler, path).GetAwaiter().GetResult();
            var world = new RaceWorld(plan.Plan, device);
            var run = new RaceRun(world, plan, path);
            run.Race();
            if (world.Violation is null)
            {
                // What is left after a violation is left alone: nobody knows who still uses it.
                world.Cache.Abandon();
                world.Buffers.Free();
                device.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }

            return (world.Violation, world.Done);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private void Race()
    {
        if (!Complete(_world.OpenAsync(), "opening the volume"))
        {
            return;
        }

        using var start = new ManualResetEventSlim();
        var threads = new List<Thread>();
        foreach (IGrouping<int, Operation> group in _world.Plan.Operations.GroupBy(static o => o.Client))
        {
            Operation[] operations = [.. group];
            var client = new RaceClient(_world, Chance.Mix(_plan.Seed, (ulong)group.Key));
            var thread = new Thread(() =>
            {
                start.Wait();
                client.Run(operations);
            }) { IsBackground = true, Name = $"client-{group.Key}" };
            thread.Start();
            threads.Add(thread);
        }

        start.Set();
        if (Watch(() => threads.TrueForAll(static t => t.Join(s_look)), "the clients have")
            && _world.Violation is null && Complete(SettleAsync(), "settling") && _world.Violation is null)
        {
            long[] sizes = [.. _world.Files.Select(static f => f.Inode.Size)];
            if (Complete(_world.CloseAsync(), "closing the volume"))
            {
                _world.JudgeQuiet();
                Complete(CheckAsync(), "checking the volume");
                Complete(ReopenAsync(sizes), "opening the volume again");
            }
        }
    }

    /// <summary>Waits until something is done. A violation, and false, if it hangs.</summary>
    private bool Watch(Func<bool> looksDone, string what)
    {
        var watch = Stopwatch.StartNew();
        long done = _world.Done;
        while (!looksDone())
        {
            if (_world.Done != done)
            {
                done = _world.Done;
                watch.Restart();
            }
            else if (watch.Elapsed > Patience)
            {
                _world.Violate($"nothing goes on any more, but {what} not ended");
                return false;
            }
        }

        return true;
    }

    private bool Complete(Task task, string what)
    {
        try
        {
            return Watch(() => task.Wait(s_look), what + " has");
        }
        catch (AggregateException e)
        {
            _world.Violate($"{what}: {e.InnerException}");
            return false;
        }
    }

    /// <summary>Nobody is at work any more: both ways of reading agree with the judge.</summary>
    private async Task SettleAsync()
    {
        foreach (RaceFile file in _world.Files.Where(_ => _world.Violation is null))
        {
            await DoAsync(new Operation { Kind = OperationKind.Sync, File = file.Number });
            await ReadAllAsync(file, IoOptions.None);
            await ReadAllAsync(file, IoOptions.Direct);
            string? problem = file.Tell(static j => j.JudgeAppends())
                ?? (_world.Plan.Preallocates(file.Number) || file.Inode.HasInlineData ? null : await BlocksBeyond.FindAsync(file.Number, file.Inode));
            if (problem is not null)
            {
                _world.Violate(problem);
            }
        }
    }

    private async Task ReadAllAsync(RaceFile file, IoOptions options)
    {
        for (long at = 0; at <= file.Inode.Size && _world.Violation is null; at += ReadLength)
        {
            await DoAsync(new Operation { Kind = OperationKind.Read, File = file.Number, Offset = at, Length = ReadLength, Options = options });
        }
    }

    private Task DoAsync(Operation operation) =>
        new RaceClient(_world, _plan.Seed).PerformAsync(operation with { Id = _nextId++, Client = -1 });

    /// <summary>Invariant 3.14, by the library's check, and now and then by e2fsck.</summary>
    private async Task CheckAsync()
    {
        var options = new CheckOptions { Scheduler = _world.Device.Scheduler, Parallelism = 1 };
        CheckReport report = await VolumeChecker.RunAsync(_world.Device, options, CancellationToken.None);
        if (report.Verdict != CheckVerdict.Clean)
        {
            _world.Violate($"the check finds {report.ProblemCount} problems: {string.Join("; ", report.Problems.Where(static p => !p.IsNote).Take(5))}");
        }

        if ((_plan.Device == RaceDevice.Image || _plan.Seed % OutsideShare == 0) && E2fsckProgram.Path is { } program)
        {
            await RaceDevices.CopyToAsync(_world.Device, _path + ".copy");
            (int exitCode, string output) = E2fsckProgram.Run(program, "-fn", _path + ".copy");
            File.Delete(_path + ".copy");
            if (exitCode != 0)
            {
                _world.Violate($"e2fsck -fn ends with {exitCode}: {output}");
            }
        }
    }

    private async Task ReopenAsync(long[] sizes)
    {
        await _world.ReopenAsync();
        foreach (RaceFile file in _world.Files)
        {
            if (file.Inode.Size != sizes[file.Number])
            {
                _world.Violate($"file {file.Number} had {sizes[file.Number]} bytes, and has {file.Inode.Size} after the volume was closed and opened");
            }

            await ReadAllAsync(file, IoOptions.None);
        }

        await _world.CloseAsync();
    }
}

/// <summary>What a run with real threads is to do.</summary>
/// <param name="Scenario">The scenario, or null for a crowd.</param>
/// <param name="Seed">What the plan and the clients' choices are drawn from; the order of things is the machine's.</param>
/// <param name="Device">What the volume lies on.</param>
/// <param name="Plan">The plan.</param>
internal sealed record RacePlan(Scenario? Scenario, ulong Seed, RaceDevice Device, Plan Plan)
{
    private const int Devices = 8;

    /// <summary>The plan of a seed: every second one is a crowd, the others take turns among the scenarios; of eight one lies on an image and two in memory.</summary>
    public static RacePlan Of(ulong seed, Scenario? scenario, RaceDevice? device)
    {
        scenario ??= seed % 2 == 0 ? null : AllScenarios.InOrder[(int)(seed / 2 % (ulong)AllScenarios.InOrder.Count)];
        var chance = new Chance(Chance.Mix(seed, 3));
        Plan plan = scenario is null ? Mixes.DrawCrowd(chance) : scenario.Draw(chance);
        return new RacePlan(scenario, seed, device ?? (seed / 2 % Devices) switch { 0 => RaceDevice.Image, 1 or 2 => RaceDevice.Memory, _ => RaceDevice.Shaken }, plan);
    }
}
