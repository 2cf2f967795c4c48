using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Memory;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
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

    public static byte[] Pattern(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        for (int i = 0; i < length; i++)
        {
            // Neither zero nor poison: those are what a wrong read shows.
            bytes[i] = (byte)(1 + (bytes[i] % 0xD0));
        }

        return bytes;
    }

    /// <summary>A buffered write under the inode lock, gap and all, as an open file does it.</summary>
    public static async Task<IoResult> WriteAsync(Inode inode, byte[] content, long offset)
    {
        using var buffer = new AlignedBuffer(content.Length);
        content.CopyTo(buffer.GetSpan());
        using SegmentList data = SegmentList.Rent([buffer.Segment], isOurs: true);
        await inode.Lock.AcquireExclusiveAsync();
        try
        {
            if (offset > inode.Size)
            {
                await BufferedPath.ZeroGapAsync(inode, inode.Size, offset);
            }

            return await BufferedPath.WriteAsync(inode, data, 0, offset, content.Length);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    public static async Task<byte[]> ReadAsync(Inode inode, long offset, int length, ReadaheadState? readahead = null)
    {
        (byte[] bytes, IoResult result) = await TryReadAsync(inode, offset, length, readahead);
        Assert.Equal(IoFault.None, result.Fault);
        return bytes;
    }

    public static async Task<(byte[] Bytes, IoResult Result)> TryReadAsync(
        Inode inode, long offset, int length, ReadaheadState? readahead = null)
    {
        var bytes = new byte[length];
        using SegmentList memory = SegmentList.Rent(bytes.AsMemory());
        IoResult result = await BufferedPath.ReadAsync(inode, memory, 0, offset, length, readahead ?? new ReadaheadState());
        return (bytes[..(int)result.Bytes], result);
    }

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
