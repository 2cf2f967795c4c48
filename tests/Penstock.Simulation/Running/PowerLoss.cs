using System.Globalization;
using Penstock.Caching;
using Penstock.Ext4;
using Penstock.Ext4.Checking;
using Penstock.Files;
using Penstock.Memory;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Running;

/// <summary>
/// The power goes. What is left of the device is opened: at the moment at which something was acknowledged as durable, the file must have it (invariant 3.13); at
/// any moment, with a journal, every file holds nothing but what was written to it, and all that is durable, and a check finds nothing (3.2, 3.14).
/// </summary>
internal sealed class PowerLoss
{
    private const int Piece = 32 * 1024;

    private readonly World _world;
    private readonly SimulationDevice _device;
    private readonly bool _isByJournal;
    private readonly Chance _chance;

    private PowerLoss(World world, SimulationDevice device, Chance chance)
    {
        _world = world;
        _device = device;
        _chance = chance;
        _isByJournal = world.Plan.Shape.HasJournal;
    }

    public static void Judge(World world, Chance chance)
    {
        ChunkMemory left = world.Device.Stable!.Lose(chance, world.Device.Requests);
        var scheduler = new SimulationScheduler(1, new Trace(keepsLines: false)) { Profile = new OrderProfile { Order = Order.Oldest } };
        var device = new SimulationDevice(scheduler, left, world.Plan.Shape.Length, new Chance(1));
        world.Trace.Tell(world.Scheduler.Steps, "power", "is lost");
        Task task = new PowerLoss(world, device, chance).JudgeAsync();
        if (!scheduler.RunUntil(() => task.IsCompleted, 1_000_000))
        {
            world.Violate("after a loss of power, reading the volume does not end");
            return;
        }

        task.GetAwaiter().GetResult();
        left.Recycle();
    }

    private async Task JudgeAsync()
    {
        // A journal is recovered by whoever opens the volume for writing, and laid over it by whoever only reads.
        bool isReadOnly = !_isByJournal || _chance.OneIn(3);
        var pages = new PageCache(_device.Scheduler, 1 << 20);
        Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(_device, pages, new Ext4OpenOptions { IsReadOnly = isReadOnly });
        try
        {
            foreach (SimulatedFile file in _world.Files.Where(f => _world.LostPowerAt is not { } number || f.Number == number))
            {
                await JudgeAsync(fileSystem, file);
            }

            if (isReadOnly)
            {
                fileSystem.Journal.Abandon();
            }
            else
            {
                await fileSystem.DisposeAsync();
                await CheckAsync();
            }
        }
        finally
        {
            pages.Abandon();
        }
    }

    private async Task JudgeAsync(Ext4FileSystem fileSystem, SimulatedFile of)
    {
        FileJudge judge = of.Judge;
        Inode inode = await fileSystem.Inodes.GetAsync(_world.Image.Files[of.Number]);
        if (inode.Size < judge.DurableSize() || (_isByJournal && inode.Size > judge.LargestSize))
        {
            Violate($"file {of.Number} has {inode.Size} bytes, but at least {judge.DurableSize()} were acknowledged as durable, and it never had more than {judge.LargestSize}");
        }

        var file = new OpenFile(inode, FileAccess.Read, _chance.OneIn(2) ? IoOptions.Direct : IoOptions.None);
        IoSegment buffer = _world.Buffers.Rent();
        for (long at = 0; at < inode.Size; at += Piece)
        {
            int bytes = await file.ReadAsync(new NativeBuffer(buffer.Address, Piece).Memory, at);
            ReadOnlySpan<byte> read = buffer.Bytes[..bytes];
            if ((_isByJournal ? judge.JudgeRecovered(read, at) : judge.JudgeDurable(read, at)) is { } problem)
            {
                _world.Violate($"file {of.Number}: {problem}");
                break;
            }
        }

        _world.Buffers.Return(buffer, Piece);
        await fileSystem.Inodes.ReleaseAsync(inode);
    }

    private async Task CheckAsync()
    {
        var options = new CheckOptions { Scheduler = _device.Scheduler, Parallelism = 1 };
        CheckReport report = await VolumeChecker.RunAsync(_device, options, CancellationToken.None);
        if (report.Verdict != CheckVerdict.Clean)
        {
            Violate($"the check finds {report.ProblemCount} problems: {string.Join("; ", report.Problems.Where(static p => !p.IsNote).Take(5))}");
        }
    }

    private void Violate(FormattableString what) => _world.Violate($"after a loss of power, {what.ToString(CultureInfo.InvariantCulture)}");
}
