using Penstock.Devices;
using Penstock.Execution;
using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Recording;
using Penstock.Simulation.Crash.Workloads;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash;

/// <summary>
/// One run of a workload. Between any two steps in which something happened that a loss of power could tell, the power may go: a few of the states that the
/// device could then be left in are recovered and judged, and the run goes on.
/// </summary>
internal sealed class CrashRun
{
    private const long MostSteps = 5_000_000;

    private readonly CrashPlan _plan;
    private readonly CrashWorld _world;
    private readonly StateJudge _judge;
    private readonly CrashTally _tally;
    private readonly HashSet<ulong> _judged = [];
    private long _seenLog;
    private long _seenModel;
    private int _point;

    private CrashRun(CrashPlan plan, CrashTally tally, OutsideJudges judges)
    {
        _plan = plan;
        _tally = tally;
        _world = new CrashWorld(plan.Workload, plan.Shapes, plan.Seed, plan.Broken, plan.KeepsLines);
        _judge = new StateJudge(_world.Shape, judges.E2fsck, judges.Kernel);
        _world.Device.FaultRule = plan.FailAt is null ? null : Fail;
    }

    /// <summary>Without a journal nobody can mend what a device tears inside a block.</summary>
    private int SectorsInUnit => _world.Model.IsOrdered ? 1 : _world.Shape.BlockSize / LoggedWrite.Sector;

    /// <summary>Runs the plan; null if nothing was wrong.</summary>
    public static CrashFinding? Execute(CrashPlan plan, CrashTally tally, OutsideJudges judges) => Execute(plan, tally, judges, out _);

    /// <summary>As <see cref="Execute(CrashPlan, CrashTally, E2fsck?)"/>, and how many requests the device had.</summary>
    public static CrashFinding? Execute(CrashPlan plan, CrashTally tally, OutsideJudges judges, out int requests)
    {
        var run = new CrashRun(plan, tally, judges);
        using (run._world)
        {
            CrashFinding? finding = run.Race();
            requests = run._world.Device.Submissions;
            return finding;
        }
    }

    private CrashFinding? Race()
    {
        Task task = _world.OpenAsync();
        CrashFinding? finding = null;
        try
        {
            Finish(task, "opening the volume");
            _world.Unleash();
            task = _plan.Workload.Body(new Stage(_world, new Chance(Chance.Mix(_plan.Seed, 3))));
            _world.Scheduler.AfterStep = () => finding ??= LookIfChanged();
            if (!_world.Scheduler.RunUntil(() => task.IsCompleted || finding is not null, MostSteps) && finding is null)
            {
                return Describe("the workload does not come to an end", 0, null);
            }

            _world.Scheduler.AfterStep = null;
            if (finding is null)
            {
                task.GetAwaiter().GetResult();
                Close();
            }
        }
        catch (FileSystemException) when (_plan.FailAt is not null && _world.Model is null && _world.Device.Faults > 0)
        {
            // The volume could not even be opened, and says so.
            return null;
        }
        catch (Exception e)
        {
            return Describe($"the workload failed: {e}", 0, null);
        }

        return finding ?? JudgeClosed();
    }

    /// <summary>After a fault the closing may tell of it.</summary>
    private void Close()
    {
        try
        {
            Finish(_world.Volume.DisposeAsync().AsTask(), "closing the volume");
        }
        catch (FileSystemException) when (_world.Device.Faults > 0)
        {
            _world.Log.Tell("    the volume could not be closed well");
        }
    }

    /// <summary>One request fails, with none of its blocks transferred or half of them.</summary>
    private IoResult? Fail(int number, DeviceRequest request)
    {
        if (number != _plan.FailAt)
        {
            return null;
        }

        long bytes = request.IsTransfer && _plan.FailsShort ? request.Length / _world.Shape.BlockSize / 2 * _world.Shape.BlockSize : 0;
        _world.Log.Tell($"    the device fails request {number}: {request.Operation} at {request.Offset}, {bytes} bytes were transferred");
        return new IoResult(bytes, IoFault.DeviceFailed);
    }

    /// <summary>A volume that was closed is clean and has everything.</summary>
    private CrashFinding? JudgeClosed()
    {
        if (_plan.OnlyPoint is > 0)
        {
            return null;
        }

        Loss loss = _world.Log.BeginLoss([], SectorsInUnit);
        loss.Choose(LossKind.Nothing, new Chance(1));
        Verdict verdict = JudgeState(loss, asksOutside: false);
        _point = 0;
        return verdict.Problem is { } problem ? Describe($"the volume was closed, and {problem}", 0, loss) : null;
    }

    private void Finish(Task task, string what)
    {
        if (!_world.Scheduler.RunUntil(() => task.IsCompleted, MostSteps))
        {
            throw new InvalidOperationException($"{what} does not come to an end. {_world.Scheduler.Escape}");
        }

        task.GetAwaiter().GetResult();
    }

    private CrashFinding? LookIfChanged()
    {
        if (_world.Log.Version == _seenLog && _world.Model.Version == _seenModel)
        {
            return null;
        }

        if (_world.Log.Problem is { } problem)
        {
            return Describe(problem, 0, null);
        }

        _seenLog = _world.Log.Version;
        _seenModel = _world.Model.Version;
        _point++;
        bool isPassedOver = _plan.OnlyPoint is { } only ? only != _point : _point % _plan.PointShare != 0 || _point > _plan.LastPoint;
        return isPassedOver ? null : Look();
    }

    /// <summary>The power may go now.</summary>
    private CrashFinding? Look()
    {
        _tally.NotePoint();
        var chance = new Chance(Chance.Mix(Chance.Mix(_plan.Seed, 4), (ulong)_point));
        Loss loss = _world.Log.BeginLoss(_world.Device.Requests, SectorsInUnit);
        int states = loss.Kinds == 1 ? 1 : _plan.StatesPerPoint;
        int first = chance.Next(loss.Kinds);
        for (int i = 0; i < states; i++)
        {
            bool asksOutside = chance.OneIn(_plan.OutsideShare);
            var kind = (LossKind)((first + i) % loss.Kinds);
            loss.Choose(kind, chance);
            if (_plan.OnlyState is { } only && only != i)
            {
                continue;
            }

            Verdict verdict = JudgeState(loss, asksOutside);
            if (verdict.Problem is { } problem)
            {
                return Describe(problem, i, loss) with { Kind = kind };
            }
        }

        return null;
    }

    private Verdict JudgeState(Loss loss, bool asksOutside)
    {
        ChunkMemory image = loss.Build();
        if (_plan.SaveTo is { } path)
        {
            StateFile.Write(path, image, _world.Shape.Length);
        }

        ulong imageHash = image.HashContent();
        if (!_judged.Add(Chance.Mix(imageHash, (ulong)_world.Model.Version)))
        {
            image.Recycle();
            return default;
        }

        Verdict verdict = _judge.Judge(image, imageHash, _world.Model, asksOutside ? imageHash : null);
        image.Recycle();
        _tally.Add(_world.Shape, verdict);
        return verdict;
    }

    private CrashFinding Describe(string problem, int state, Loss? loss) => new(_plan, _world.Shape, _point, state, problem)
    {
        Log = [.. _world.Log.Lines],
        Fates = loss is null ? [] : [.. loss.Describe()],
    };
}
