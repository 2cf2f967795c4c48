using System.Globalization;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>What one run plays in: a volume on a simulated device, its files and their judges, all on one scheduler.</summary>
internal sealed class World
{
    private readonly LockRecorder _recorder = new();
    private readonly HashSet<nint> _held = [];
    private int _recorded;

    public World(Plan plan, ulong orderSeed, RuleSet broken, bool keepsLines)
    {
        Plan = plan;
        Trace = new Trace(keepsLines);
        Scheduler = new SimulationScheduler(orderSeed, Trace) { BrokenRules = broken, Recorder = _recorder, Profile = new OrderProfile { Order = Order.Oldest } };
        Image = VolumeImage.Of(plan.Shape);
        Device = new SimulationDevice(Scheduler, Image.Clone(), plan.Shape.Length, new Chance(Chance.Mix(orderSeed, 2)));
        Cache = new PageCache(Scheduler, plan.CacheBytes);
        Buffers = BufferPool.OfThread;
        Buffers.Reset();
        Device.Failing = NoteFault;
        Device.Completing = JudgeMemory;
        Device.HoldRule = request => _held.Contains(request.Segments.IsEmpty ? 0 : request.Segments[0].Address & ~(nint)(BufferPool.Length - 1));
        if (plan.LosesPower)
        {
            Device.Stable = new StableMemory(Device.Content, plan.Shape.HasJournal ? SimulationDevice.Sector : plan.Shape.BlockSize);
        }

        Device.Submitting = JudgeSubmission;

        Device.LettingGo = () => LettingGo?.Invoke();
    }

    public Plan Plan { get; }

    public Trace Trace { get; }

    public SimulationScheduler Scheduler { get; }

    public SimulationDevice Device { get; }

    public VolumeImage Image { get; }

    public PageCache Cache { get; }

    public BufferPool Buffers { get; }

    public LockRecorder Recorder => _recorder;

    public Ext4FileSystem FileSystem { get; private set; } = null!;

    public SimulatedFile[] Files { get; } = new SimulatedFile[VolumeImage.FileCount];

    /// <summary>What was wrong first; null so far.</summary>
    public string? Violation { get; private set; }

    public void Violate(string what)
    {
        if (Violation is null)
        {
            Violation = what;
            Trace.Tell(Scheduler.Steps, "VIOLATION", what);
        }
    }

    public async Task OpenAsync()
    {
        FileSystem = await Ext4FileSystem.OpenAsync(Device, Cache, new Ext4OpenOptions
        {
            MayUseRootReserve = true, DiscardsFreedBlocks = Plan.DiscardsFreed, MetadataBudget = Plan.MetadataBytes,
        });
        for (int i = 0; i < Files.Length; i++)
        {
            Files[i] = new SimulatedFile(i, await FileSystem.Inodes.GetAsync(Image.Files[i]), Plan.MostStepsToPowerLoss > 0);
        }

        if (Plan.Ballast > 0)
        {
            await FallocatePath.AllocateAsync(Files[^1].Inode, 0, Plan.Ballast, keepsSize: true);
            await SyncPath.SyncFileSystemAsync(FileSystem);
        }
    }

    /// <summary>The run is over, wherever it stands: all native memory is given back.</summary>
    public void Abandon()
    {
        Cache.Abandon();
        FileSystem?.Journal.Abandon();
    }

    /// <summary>Opens the volume that was closed; the judges stay.</summary>
    public async Task ReopenAsync()
    {
        FileSystem = await Ext4FileSystem.OpenAsync(Device, Cache, new Ext4OpenOptions { IsReadOnly = true });
        foreach (SimulatedFile file in Files)
        {
            file.Reopen(await FileSystem.Inodes.GetAsync(Image.Files[file.Number]));
        }
    }

    /// <summary>Told when nothing can go on without requests that are held back.</summary>
    public Action? LettingGo { get; set; }

    /// <summary>How many acknowledgements there are to be before the power goes; 0: it does not.</summary>
    public int DurableLeft { get; set; }

    /// <summary>The file of the acknowledgement at which the power went.</summary>
    public int? LostPowerAt { get; private set; }

    /// <summary>The step at which the power goes, wherever the clients are; 0: it does not.</summary>
    public long PowerGoesAt { get; set; }

    public bool HasLostPower => LostPowerAt is not null || (PowerGoesAt > 0 && Scheduler.Steps >= PowerGoesAt);

    /// <summary>Something of a file was acknowledged as durable.</summary>
    public void NoteDurable(int file)
    {
        if (DurableLeft > 0 && --DurableLeft == 0)
        {
            LostPowerAt = file;
        }
    }

    /// <summary>Told of the memory of each direct write as it goes to the device.</summary>
    public Action<nint>? SubmittingDirectWrite { get; set; }

    /// <summary>The device is to hold back requests with this memory.</summary>
    public void Hold(nint buffer) => _held.Add(buffer);

    /// <summary>The race begins: from here on order and device are the plan's.</summary>
    public void Unleash()
    {
        Trace.Forget();
        Scheduler.Profile = Plan.Order;
        Device.Profile = Plan.Device;
        Scheduler.AfterStep = JudgeStep;
        if (Trace.KeepsLines)
        {
            _recorder.Observer = TellLock;
        }
    }

    /// <summary>Nothing fails any more; everything must come to an end.</summary>
    public void Heal()
    {
        Device.Profile = Plan.Device with { ReadFaults = 0, WriteFaults = 0, FlushFaults = 0, MetadataFaults = 0, MetadataReadFaults = 0 };
        Device.HoldRule = null;
    }

    /// <summary>Invariants 3.6 and 3.7, with all callers gone.</summary>
    public void JudgeQuiet()
    {
        foreach (SimulatedFile file in Files)
        {
            Inode inode = file.Inode;
            if (inode.Gate.IsHeld || inode.Lock.IsHeld || inode.Invalidation.IsHeld)
            {
                Violate($"file {file.Number} is quiet, but a lock is held: gate {inode.Gate.SharedCount}, inode lock {inode.Lock.IsHeld}, invalidation {inode.Invalidation.IsHeld}");
            }
        }

        if (Device.InFlight > 0)
        {
            Violate(string.Create(CultureInfo.InvariantCulture, $"all is quiet, but the device has {Device.InFlight} requests in flight"));
        }
    }

    private void JudgeStep()
    {
        if (Scheduler.Escape is { } escape)
        {
            Violate(escape);
        }

        foreach (SimulatedFile file in Files)
        {
            if (file.Inode.Gate.SharedCount > file.DirectInFlight)
            {
                Violate(string.Create(
                    CultureInfo.InvariantCulture,
                    $"file {file.Number}: {file.Inode.Gate.SharedCount} hold the direct-I/O gate, but {file.DirectInFlight} direct requests are in flight"));
            }
        }

        if (_recorder.ViolationCount > _recorded)
        {
            _recorded = _recorder.ViolationCount;
            Violate($"locks: {_recorder.Violations[0]}");
        }
    }

    /// <summary>Invariant 3.15: whoever got his memory back owns it alone.</summary>
    private void JudgeMemory(DeviceRequest request, DataOf data)
    {
        if (data == DataOf.Direct && Buffers.IsForbidden(request.Segments[0].Address))
        {
            Violate($"the device transfers {request.Operation} at {request.Offset} for memory whose owner has it back");
        }
    }

    /// <summary>
    /// The volume is marked as changed, durably, before anything of it changes; blocks are discarded only when the change that freed them is durable
    /// (invariant 3.5).
    /// </summary>
    private void JudgeSubmission(DeviceRequest request, DataOf data)
    {
        const int SectorsOfSuperblock = 4096;
        if (request.IsWrite && data == DataOf.Direct)
        {
            SubmittingDirectWrite?.Invoke(request.Segments[0].Address);
        }

        // A journal has its own way to say so, and bitmaps that are in the log: the crash test looks at both.
        if (Device.Stable is not { } stable || Plan.Shape.HasJournal)
        {
            return;
        }

        if (request.Operation == DeviceOperation.Write && data == DataOf.Metadata && request.Offset >= SectorsOfSuperblock && StableBitmap.IsClean(stable))
        {
            Violate($"metadata is written at {request.Offset} while the volume still says that it is clean");
        }

        if (request.Operation == DeviceOperation.Discard && StableBitmap.FindUsed(stable, request.Offset, request.Length) is { } used)
        {
            Violate($"block {used} is discarded, but a loss of power would bring it back: the change that freed it is not durable");
        }
    }

    /// <summary>A failed writeback belongs to the file of the write whose bytes it carried.</summary>
    private void NoteFault(DeviceRequest request, DataOf data, IoFault fault)
    {
        if (data != DataOf.Writeback)
        {
            return;
        }

        Operation? operation = Tag.TryRead(request.Segments[0].Bytes, out long write, out long start) && start >= 0
            ? Plan.Operations.FirstOrDefault(o => o.Id == write)
            : null;
        if (operation is not null)
        {
            Files[operation.File].Errors.NoteFailure();
        }
    }

    private void TellLock(LockEvent e)
    {
        string whom = e.Target is CachePage page ? $"{page.Index} of {page.Owner?.File}" : e.Rank == LockRank.Handle ? "" : $"{e.Target}";
        Trace.Tell(Scheduler.Steps, "lock", $"{(e.Kind == LockEventKind.Acquired ? "+" : "-")} {e.Rank} {(e.IsExclusive ? "exclusive" : "shared")} {whom}");
    }
}
