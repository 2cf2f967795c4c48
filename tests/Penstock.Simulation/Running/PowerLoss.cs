using Penstock.Caching;
using Penstock.Ext4;
using Penstock.Files;
using Penstock.Memory;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Running;

/// <summary>
/// The power goes at the moment at which something was acknowledged as durable: what is left of the device is opened, and the file must have it
/// (invariant 3.13).
/// </summary>
internal sealed class PowerLoss(World world, int number)
{
    private const int Piece = 32 * 1024;

    public static void Judge(World world, int file, Chance chance)
    {
        ChunkMemory left = world.Device.Stable!.Lose(chance, world.Device.Requests);
        var scheduler = new SimulationScheduler(1, new Trace(keepsLines: false)) { Profile = new OrderProfile { Order = Order.Oldest } };
        var device = new SimulationDevice(scheduler, left, world.Plan.Shape.Length, new Chance(1));
        world.Trace.Tell(world.Scheduler.Steps, "power", "is lost");
        Task task = new PowerLoss(world, file).ReadAsync(device);
        if (!scheduler.RunUntil(() => task.IsCompleted, 1_000_000))
        {
            world.Violate("after a loss of power, reading the volume does not end");
            return;
        }

        task.GetAwaiter().GetResult();
        left.Recycle();
    }

    private async Task ReadAsync(SimulationDevice device)
    {
        FileJudge judge = world.Files[number].Judge;
        var pages = new PageCache(device.Scheduler, 1 << 20);
        Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(device, pages, new Ext4OpenOptions { IsReadOnly = true });
        try
        {
            Inode inode = await fileSystem.Inodes.GetAsync(world.Image.Files[number]);
            if (inode.Size < judge.DurableSize())
            {
                world.Violate($"after a loss of power, file {number} has {inode.Size} bytes, but {judge.DurableSize()} were acknowledged as durable");
            }

            var file = new OpenFile(inode, FileAccess.Read, IoOptions.Direct);
            IoSegment buffer = world.Buffers.Rent();
            for (long at = 0; at < inode.Size; at += Piece)
            {
                int bytes = await file.ReadAsync(new NativeBuffer(buffer.Address, Piece).Memory, at);
                if (judge.JudgeDurable(buffer.Bytes[..bytes], at) is { } problem)
                {
                    world.Violate($"file {number}: {problem}");
                    break;
                }
            }

            world.Buffers.Return(buffer, Piece);
        }
        finally
        {
            fileSystem.Journal.Abandon();
            pages.Abandon();
        }
    }
}
