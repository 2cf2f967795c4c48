using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Penstock.Testing.Files;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>A volume in memory on a simulated device, driven by hand: what the tests of the buffered paths stand on.</summary>
internal sealed class PagesFixture
{
    public PagesFixture(
        long deviceLength = 8 << 20, long budget = 16 << 20, int blockSize = 4096, int? seed = null, Rule broken = Rule.None)
    {
        Scheduler = new ManualScheduler(seed) { BrokenRule = broken, Recorder = new LockRecorder() };
        Device = new SimulatedDevice(Scheduler, deviceLength);
        Cache = new PageCache(Scheduler, budget);
        Volume = new MemoryFileSystem(Device, Cache, blockSize);
    }

    public ManualScheduler Scheduler { get; }

    public SimulatedDevice Device { get; }

    public PageCache Cache { get; }

    public MemoryFileSystem Volume { get; }

    public MemoryInode CreateInode(MemoryFileKind kind = MemoryFileKind.Extents) => (MemoryInode)Volume.Create(kind).Inode;

    public static byte[] Pattern(int length, int seed) => BufferedAccess.Pattern(length, seed);

    public static Task<IoResult> WriteAsync(Inode inode, byte[] content, long offset) => BufferedAccess.WriteAsync(inode, content, offset);

    public static Task<byte[]> ReadAsync(Inode inode, long offset, int length, ReadaheadState? readahead = null) =>
        BufferedAccess.ReadAsync(inode, offset, length, readahead);

    public static Task<(byte[] Bytes, IoResult Result)> TryReadAsync(
        Inode inode, long offset, int length, ReadaheadState? readahead = null) =>
        BufferedAccess.TryReadAsync(inode, offset, length, readahead);

    /// <summary>Lets everything run that can, from inside a test body.</summary>
    public async Task SettleAsync()
    {
        for (int i = 0; i < 200; i++)
        {
            await Scheduler.Yield();
        }
    }

    /// <summary>Runs a part of a test beside it, as an operation of its own.</summary>
    public async Task<T> ForkAsync<T>(Func<ValueTask<T>> part)
    {
        using OperationScope scope = Scheduler.Recorder!.BeginOperation("fork");
        return await part();
    }

    /// <summary>Runs a body as one operation of the lock recorder, and checks that the locks were taken in order and given back.</summary>
    public void Run(Func<Task> body)
    {
        Scheduler.Run(async () =>
        {
            using OperationScope scope = Scheduler.Recorder!.BeginOperation("test");
            await body();
        });
        Assert.Empty(Scheduler.Recorder!.Violations);
    }

    /// <summary>A second volume with its own block size that shares the page cache.</summary>
    public sealed class SecondVolume(PagesFixture fixture, int blockSize)
    {
        private readonly MemoryFileSystem _volume = new(new SimulatedDevice(fixture.Scheduler, 8 << 20), fixture.Cache, blockSize);

        public MemoryInode CreateInode() => (MemoryInode)_volume.Create().Inode;
    }
}
