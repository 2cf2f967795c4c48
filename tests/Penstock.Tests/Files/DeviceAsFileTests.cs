using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>A device opened as a file: every mode, its end, its errors, and none of the locks of a file.</summary>
public sealed class DeviceAsFileTests : IDisposable
{
    private readonly string _image = Path.GetTempFileName();

    public void Dispose() => File.Delete(_image);

    [Fact]
    public async Task Direct_and_buffered_requests_see_each_other_and_the_image_has_the_bytes()
    {
        File.WriteAllBytes(_image, new byte[1 << 20]);
        byte[] content = Content(10_000);
        await using (OpenFile device = await OpenFile.OpenDeviceAsync(_image))
        {
            Assert.Equal(1 << 20, device.Length);
            Assert.Equal(content.Length, await device.WriteAsync(content, 777));
            using var buffer = new AlignedBuffer(16384);
            Assert.Equal(16384, await device.ReadAsync(buffer.Memory, 0, IoOptions.Direct));
            Assert.True(buffer.GetSpan().Slice(777, content.Length).SequenceEqual(content));

            buffer.GetSpan().Fill(9);
            Assert.Equal(16384, await device.WriteAsync(buffer.Memory, 65536, IoOptions.Direct));
            byte[] read = new byte[4];
            Assert.Equal(4, await device.ReadAsync(read, 65536 + 8191));
            Assert.Equal([9, 9, 9, 9], read);
            await device.FlushAsync();
        }

        byte[] image = File.ReadAllBytes(_image);
        Assert.Equal(1 << 20, image.Length);
        Assert.True(image.AsSpan(777, content.Length).SequenceEqual(content));
        Assert.True(image.AsSpan(65536, 16384).IndexOfAnyExcept((byte)9) < 0);
    }

    [Fact]
    public async Task What_is_misaligned_or_beyond_the_end_is_refused_and_changes_nothing()
    {
        File.WriteAllBytes(_image, new byte[65536]);
        await using OpenFile device = await OpenFile.OpenDeviceAsync(_image, options: IoOptions.Direct);
        using var buffer = new AlignedBuffer(8192);
        Assert.Equal(IoFault.InvalidArgument, await FaultOf(() => device.WriteAsync(buffer.Memory[..100], 0)));
        Assert.Equal(IoFault.InvalidArgument, await FaultOf(() => device.ReadAsync(buffer.Memory, 100)));
        Assert.Equal(0, await device.ReadAsync(buffer.Memory, 65536));
        Assert.NotEqual(IoFault.None, await FaultOf(() => device.WriteAsync(buffer.Memory, 65536)));
        Assert.NotEqual(IoFault.None, await FaultOf(() => device.WriteAsync(new byte[1], 65536, IoOptions.None)));
        Assert.Equal(4096, await device.WriteAsync(buffer.Memory, 65536 - 4096));
        Assert.Equal(65536, new FileInfo(_image).Length);
    }

    [Fact]
    public async Task A_device_in_use_is_refused_and_one_opened_for_reading_refuses_writes()
    {
        File.WriteAllBytes(_image, new byte[65536]);
        await using (await OpenFile.OpenDeviceAsync(_image))
        {
            DeviceException used = await Assert.ThrowsAsync<DeviceException>(async () => await OpenFile.OpenDeviceAsync(_image));
            Assert.Equal(IoFault.Busy, used.Fault);
        }

        await using OpenFile reader = await OpenFile.OpenDeviceAsync(_image, FileAccess.Read);
        await using OpenFile another = await OpenFile.OpenDeviceAsync(_image, FileAccess.Read);
        Assert.Equal(IoFault.BadHandle, await FaultOf(() => reader.WriteAsync(new byte[512], 0)));
        Assert.Equal(512, await another.ReadAsync(new byte[512], 0));
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.SelfProtectedTakesNoLock)]
    internal async Task Rule_1_8_a_device_file_takes_no_inode_lock_and_no_gate(Rule broken)
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        scheduler.BrokenRule = broken;
        var recorder = new LockRecorder { KeepsTrace = true };
        scheduler.Recorder = recorder;
        await using OpenFile device = OpenFile.OpenDevice(
            new MemoryDevice("memory", scheduler, 1 << 20), new PageCache(scheduler, 1 << 20), FileAccess.ReadWrite, IoOptions.None);
        using var buffer = new AlignedBuffer(16384);
        foreach (IoOptions options in new[] { IoOptions.None, IoOptions.Direct, IoOptions.Sync, IoOptions.Direct | IoOptions.DataSync })
        {
            await device.WriteAsync(buffer.Memory, 4096, options);
            await device.ReadAsync(buffer.Memory, 8192, options);
        }

        await device.FlushAsync();
        Assert.Contains(recorder.Trace, e => e.Kind == LockEventKind.Acquired && e.Rank == LockRank.Page);
        Assert.Equal(
            broken != Rule.None,
            recorder.Trace.Any(e => e.Kind == LockEventKind.Acquired && e.Rank is LockRank.Inode or LockRank.DirectIoGate));
        Assert.Empty(recorder.Violations);
    }

    [Fact]
    public async Task A_failed_write_back_is_said_by_the_flush_and_by_closing()
    {
        Scheduler scheduler = ThreadedScheduler.CreateForTest();
        var failing = new FaultyDevice(new MemoryDevice("memory", scheduler, 1 << 20))
        {
            Rule = static request => request.IsWrite ? new Misfortune(IoFault.DeviceFailed) : null,
        };
        var cache = new PageCache(scheduler, 1 << 20);
        OpenFile device = OpenFile.OpenDevice(failing, cache, FileAccess.ReadWrite, IoOptions.None);
        await device.WriteAsync(new byte[10_000], 0);
        Assert.Equal(IoFault.DeviceFailed, await FaultOf(async () =>
        {
            await device.FlushAsync();
            return 0;
        }));
        await Assert.ThrowsAnyAsync<FileSystemException>(() => device.DisposeAsync().AsTask());
        Assert.True(cache.DirtyFiles.IsEmpty);
    }

    private static byte[] Content(int length)
    {
        byte[] bytes = new byte[length];
        new Random(3).NextBytes(bytes);
        return bytes;
    }

    private static async Task<IoFault> FaultOf(Func<ValueTask<int>> request)
    {
        try
        {
            await request();
            return IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }
}
