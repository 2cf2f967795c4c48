using System.Globalization;
using Penstock.Execution;
using Penstock.Ext4.Checking;
using Penstock.Files;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>One run, from a plan and a seed to a result: opens, lets the clients race, heals, and looks at everything once more.</summary>
internal sealed class Run
{
    private const long MostSteps = 2_000_000;
    private const int ReadLength = 32 * 1024;

    private readonly World _world;
    private readonly Performer _performer;
    private readonly ulong _order;
    private int _nextId = 1_000_000;

    private Run(World world, ulong order)
    {
        _order = order;
        _world = world;
        _performer = new Performer(world);
    }

    public static RunResult Execute(Plan plan, ulong orderSeed, RuleSet broken = default, bool keepsLines = false)
    {
        var world = new World(plan, orderSeed, broken, keepsLines);
        var run = new Run(world, orderSeed);
        try
        {
            run.Race();
        }
        catch (Exception e)
        {
            world.Violate($"an exception escaped: {e}");
        }

        var result = new RunResult(world.Violation, world.Trace.Hash, run._performer.Done, world.Scheduler.Steps, world.Trace.Lines);
        world.Abandon();
        world.Device.Content.Recycle();
        return result;
    }

    private void Race()
    {
        if (!Complete(_world.OpenAsync(), "opening the volume"))
        {
            return;
        }

        _world.Unleash();
        var clients = new List<Task>();
        foreach (IGrouping<int, Operation> group in _world.Plan.Operations.GroupBy(static o => o.Client))
        {
            clients.Add(_performer.RunClientAsync([.. group]));
        }

        PlanPowerLoss();
        if (!_world.Scheduler.RunUntil(() => _world.Violation is not null || _world.HasLostPower || clients.TrueForAll(static c => c.IsCompleted), MostSteps))
        {
            _world.Violate($"nothing goes on any more, but these have not ended: {string.Join("; ", _performer.InFlight)}");
        }

        if (_world.Violation is null && (_world.HasLostPower || _world.PowerGoesAt > 0))
        {
            PowerLoss.Judge(_world, new Chance(Chance.Mix(_order, 6)));
            return;
        }

        _world.Heal();
        if (_world.Violation is null && Complete(SettleAsync(), "settling") && _world.Violation is null)
        {
            if (!_world.Scheduler.RunUntilIdle(MostSteps))
            {
                _world.Violate("all is done, but something goes on and on");
            }

            _world.JudgeQuiet();
            long[] sizes = [.. _world.Files.Select(static f => f.Inode.Size)];
            if (Complete(CloseAsync(), "closing the volume") && _world is { Violation: null, Device.Faults: 0 })
            {
                Complete(CheckAsync(), "checking the volume");
                Complete(ReopenAsync(sizes), "opening the volume again");
            }
        }
    }

    private void PlanPowerLoss()
    {
        var chance = new Chance(Chance.Mix(_order, 5));
        if (_world.Plan.MostStepsToPowerLoss is > 0 and var most)
        {
            _world.PowerGoesAt = _world.Scheduler.Steps + 1 + chance.Next(most);
        }
        else if (_world.Plan.LosesPower)
        {
            _world.DurableLeft = chance.Between(1, 8);
        }
    }

    private bool Complete(Task task, string what)
    {
        if (!_world.Scheduler.RunUntil(() => task.IsCompleted, MostSteps))
        {
            _world.Violate(_world.Scheduler.Escape ?? $"{what} does not end: {string.Join("; ", _performer.InFlight)}");
            return false;
        }

        if (_world.Scheduler.Escape is { } escape)
        {
            _world.Violate(escape);
        }

        task.GetAwaiter().GetResult();
        return true;
    }

    /// <summary>After the faults have stopped: each sync may tell of what was once, then everything is stable, and both ways of reading agree.</summary>
    private async Task SettleAsync()
    {
        foreach (SimulatedFile file in _world.Files.Where(_ => _world.Violation is null))
        {
            for (int handle = 0; handle < SimulatedFile.HandleCount; handle++)
            {
                await DoAsync(new Operation { Kind = OperationKind.Sync, File = file.Number, Handle = handle });
                await DoAsync(new Operation { Kind = OperationKind.Sync, File = file.Number, Handle = handle });
            }

            await ReadAllAsync(file, IoOptions.None);
            await ReadAllAsync(file, IoOptions.Direct);
            if (file.Judge.JudgeAppends() is { } problem)
            {
                _world.Violate(problem);
            }

            if (_world is { Violation: null, FileSystem.IsReadOnly: false } && !_world.Plan.Preallocates(file.Number) && !file.Inode.HasInlineData
                && await BlocksBeyond.FindAsync(file.Number, file.Inode) is { } beyond)
            {
                _world.Violate(beyond);
            }
        }
    }

    private async Task ReadAllAsync(SimulatedFile file, IoOptions options)
    {
        if (_world.Violation is not null)
        {
            return;
        }

        for (long at = 0; at <= file.Inode.Size && _world.Violation is null; at += ReadLength)
        {
            await DoAsync(new Operation { Kind = OperationKind.Read, File = file.Number, Offset = at, Length = ReadLength, Options = options });
        }
    }

    private Task DoAsync(Operation operation) => _performer.PerformAsync(operation with { Id = _nextId++, Client = -1 });

    /// <summary>Invariant 3.14: a volume that was closed has nothing that a check would find.</summary>
    private async Task CheckAsync()
    {
        var options = new CheckOptions { Scheduler = _world.Scheduler, Parallelism = 1 };
        CheckReport report = await VolumeChecker.RunAsync(_world.Device, options, CancellationToken.None);
        if (report.Verdict != CheckVerdict.Clean)
        {
            _world.Violate($"the check finds {report.ProblemCount} problems: {string.Join("; ", report.Problems.Where(static p => !p.IsNote).Take(5))}");
        }
    }

    /// <summary>A volume that was closed and is opened again has what it had.</summary>
    private async Task ReopenAsync(long[] sizes)
    {
        await _world.ReopenAsync();
        foreach (SimulatedFile file in _world.Files)
        {
            if (file.Inode.Size != sizes[file.Number])
            {
                _world.Violate(string.Create(
                    CultureInfo.InvariantCulture, $"file {file.Number} had {sizes[file.Number]} bytes, and has {file.Inode.Size} after the volume was closed and opened"));
            }

            await ReadAllAsync(file, IoOptions.None);
        }
    }

    private async Task CloseAsync()
    {
        foreach (SimulatedFile file in _world.Files)
        {
            await _world.FileSystem.Inodes.ReleaseAsync(file.Inode);
        }

        try
        {
            await _world.FileSystem.DisposeAsync();
        }
        catch (FileSystemException) when (_world.Device.Faults > 0)
        {
            // A volume whose flush failed cannot be closed well, and says so.
        }
    }
}
