using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>
/// A small world in which one rule may be broken: a scheduler, a device and a volume in memory, and a recorder that watches every lock.
/// </summary>
internal sealed class World
{
    public const int Block = 4096;

    public World(RuleSet broken = default, int? seed = null, int blockSize = Block, int sector = 512)
    {
        // With the test framework's context, tasks would resume on the runtime's pool, and the order would not be the scheduler's.
        SynchronizationContext.SetSynchronizationContext(null);
        Scheduler = new ManualScheduler(seed) { BrokenRules = broken };
        Device = new SimulatedDevice(Scheduler, 16 << 20, sector, sector);
        Volume = new MemoryFileSystem(Device, new PageCache(Scheduler, 8 << 20), blockSize);
        Recorder = new LockRecorder { KeepsTrace = true };
        Scheduler.Recorder = Recorder;
    }

    public ManualScheduler Scheduler { get; }

    public SimulatedDevice Device { get; }

    public MemoryFileSystem Volume { get; }

    public LockRecorder Recorder { get; }

    public static MemoryInode InodeOf(OpenFile file) => (MemoryInode)file.Inode;

    public static AlignedBuffer Filled(int length, byte value)
    {
        var buffer = new AlignedBuffer(length);
        buffer.GetSpan().Fill(value);
        return buffer;
    }

    public OpenFile Create(MemoryFileKind kind = MemoryFileKind.Extents) => Volume.Create(kind);

    /// <summary>A file of <paramref name="length"/> bytes of <paramref name="value"/>, all of it on the device and none in the cache.</summary>
    public OpenFile CreateFilled(int length, byte value, MemoryFileKind kind = MemoryFileKind.Extents)
    {
        OpenFile file = Create(kind);
        WriteBuffered(file, value, 0, length);
        Complete(file.FlushAsync().AsTask());
        Assert.True(Complete(file.Inode.Pages!.InvalidateAsync(0, length).AsTask()));
        Device.ClearRecord();
        return file;
    }

    public Task<int> StartWrite(OpenFile file, byte value, long offset, int length, IoOptions options = IoOptions.Direct) =>
        file.WriteAsync(Filled(length, value).Memory, offset, options).AsTask();

    public Task<int> StartRead(OpenFile file, Memory<byte> into, long offset, IoOptions options = IoOptions.Direct) =>
        file.ReadAsync(into, offset, options).AsTask();

    public int Write(OpenFile file, byte value, long offset, int length, IoOptions options = IoOptions.Direct) =>
        Complete(StartWrite(file, value, offset, length, options));

    public int WriteBuffered(OpenFile file, byte value, long offset, int length) => Write(file, value, offset, length, IoOptions.None);

    public byte[] Read(OpenFile file, long offset, int length, IoOptions options = IoOptions.None)
    {
        AlignedBuffer buffer = Filled(length, 0xEE);
        int bytes = Complete(StartRead(file, buffer.Memory, offset, options));
        return buffer.Memory[..bytes].ToArray();
    }

    public T Complete<T>(Task<T> task)
    {
        Scheduler.Complete(task);
        return task.GetAwaiter().GetResult();
    }

    public void Complete(Task task)
    {
        Scheduler.Complete(task);
        task.GetAwaiter().GetResult();
    }

    /// <summary>Completes a task that is expected to fail, and hands out its fault.</summary>
    public IoFault FaultOf(Task task)
    {
        Scheduler.Complete(task);
        return task.Exception?.InnerException is FileSystemException e ? e.Fault : IoFault.None;
    }

    public void Idle() => Scheduler.RunUntilIdle();

    public void Hold(DeviceOperation operation) => Device.HoldRule = o => o.Operation == operation;

    /// <summary>Whether every lock is free, no handle open, and the recorder saw nothing wrong.</summary>
    public bool IsBalanced(OpenFile file)
    {
        Inode inode = file.Inode;
        return !inode.Lock.IsHeld && !inode.Gate.IsHeld && !inode.Invalidation.IsHeld && Volume.MemoryJournal.OpenHandles == 0
            && Recorder.Violations.Count == 0;
    }

    /// <summary>What <see cref="IsBalanced"/> found, for a message.</summary>
    public string Describe(OpenFile file) =>
        $"lock {file.Inode.Lock.IsHeld}, gate {file.Inode.Gate.IsHeld}, invalidation {file.Inode.Invalidation.IsHeld}, "
        + $"handles {Volume.MemoryJournal.OpenHandles}, {string.Join("; ", Recorder.Violations)}";

    public int Acquisitions => Recorder.Trace.Count(e => e.Kind == LockEventKind.Acquired && e.Rank <= LockRank.Invalidation);

    /// <summary>
    /// Shows that a rule matters: the scenario holds when the rule does, and does not when just that rule is broken (or ends in an exception).
    /// </summary>
    public static void Matters(Rule rule, Func<World, bool> scenario) => Matter(scenario, rule);

    /// <summary>As <see cref="Matters"/>, of rules that stand behind each other: all are broken at once.</summary>
    public static void Matter(Func<World, bool> scenario, params Rule[] rules)
    {
        string rule = string.Join(", ", rules);
        var intact = new World();
        Assert.True(scenario(intact), $"{rule}: the scenario fails although every rule holds.");
        Assert.Empty(intact.Recorder.Violations);
        bool survives;
        try
        {
            survives = scenario(new World(RuleSet.Of(rules)));
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            survives = false;
        }

        Assert.False(survives, $"{rule}: nothing is noticed when the rule is broken.");
    }
}
