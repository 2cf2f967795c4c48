using Penstock.Caching;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Simulation.Crash.Model;
using Penstock.Simulation.Crash.Recording;
using Penstock.Simulation.Crash.Workloads;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash;

/// <summary>What a workload runs in: a volume on a device that is recorded, on a scheduler that owns every choice.</summary>
internal sealed class CrashWorld : IDisposable
{
    private const int PageCacheBytes = 512 * 1024;

    private readonly PageCache _pages;
    private readonly Chance _chance;

    public CrashWorld(Workload workload, IReadOnlyList<CrashShape> shapes, ulong seed, RuleSet broken, bool keepsLines)
    {
        Workload = workload;
        _chance = new Chance(seed);
        Shape = _chance.Of<CrashShape>([.. shapes]);
        Scheduler = new SimulationScheduler(Chance.Mix(seed, 1), new Trace(keepsLines: false))
        {
            BrokenRules = broken, Profile = new OrderProfile { Order = Order.Oldest },
        };
        ChunkMemory content = CrashImage.Of(Shape).Content.Clone();
        Device = new SimulationDevice(Scheduler, content, Shape.Length, new Chance(Chance.Mix(seed, 2)));
        Log = new DeviceLog(content) { KeepsLines = keepsLines };
        Device.Witness = Log;
        CrashImage image = CrashImage.Of(Shape);
        Log.Audit = write => image.JudgeLogWrite(write.Offset, write.Bytes, Shape.BlockSize);
        _pages = new PageCache(Scheduler, PageCacheBytes);
    }

    public Workload Workload { get; }

    public CrashShape Shape { get; }

    public SimulationScheduler Scheduler { get; }

    public SimulationDevice Device { get; }

    public DeviceLog Log { get; }

    public Volume Volume { get; private set; } = null!;

    /// <summary>What is promised; it is strict where the volume is journalled.</summary>
    public CrashModel Model { get; private set; } = null!;

    public async Task OpenAsync()
    {
        Volume = await Volume.OpenAsync(Device, new VolumeOptions { PageCache = _pages, Scheduler = Scheduler, DataMode = Shape.Mode });
        Model = new CrashModel(isOrdered: Volume.FileSystem.Journal is not NoLogJournal)
        {
            HidesOldBytes = Shape.HasJournal && Shape.Mode is not DataMode.Writeback,
            UnitOfData = Shape.Mode is DataMode.Journal ? Shape.BlockSize : 0,
        };
    }

    /// <summary>From here on the order of everything is the seed's. What a loss of power tears is chosen later, of the log.</summary>
    public void Unleash()
    {
        Scheduler.Profile = OrderProfile.Draw(_chance);
        Device.Profile = DeviceProfile.Draw(_chance) with { MovesTorn = 0 };
    }

    /// <summary>Whether a failure is what the workload asks for.</summary>
    public bool Explains(FileSystemException failure) => failure.Fault switch
    {
        IoFault.NoSpace => Workload.RunsOutOfSpace,
        IoFault.DeviceFailed or IoFault.ReadOnly => Device.Faults > 0,
        _ => false,
    };

    public void Dispose()
    {
        _pages.Abandon();
        Device.Content.Recycle();
    }
}
