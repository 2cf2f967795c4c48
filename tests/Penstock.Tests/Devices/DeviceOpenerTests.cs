using System.Security.Cryptography;
using Penstock.Devices;
using Penstock.Devices.Host;
using Penstock.Memory;
using Penstock.Tests.Uring;
using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Devices;

public sealed class DeviceOpenerTests : IDisposable
{
    private readonly TemporaryFile _file = new(1 << 20);

    [Theory]
    [InlineData("a/disk.img", "a/disk.img", 0, 0)]
    [InlineData("a/disk.img#2", "a/disk.img", 2, 0)]
    [InlineData("a/disk#x", "a/disk#x", 0, 0)]
    [InlineData("disk#1#12", "disk#1", 12, 0)]
    [InlineData("#1", "#1", 0, 0)]
    [InlineData("mem:64M", null, 0, 64 << 20)]
    [InlineData("mem:1000", null, 0, 512)]
    public void Names_are_read(string text, string? path, int partition, long memory) =>
        Assert.Equal(new DeviceName(text, path, partition, memory), DeviceName.Parse(text));

    [Theory]
    [InlineData("mem:")]
    [InlineData("mem:-1")]
    [InlineData("mem:65T")]
    [InlineData("mem:9999999999T")]
    [InlineData("disk.img#0")]
    public void Nonsense_is_refused(string text) =>
        Assert.Equal(IoFault.InvalidArgument, Assert.Throws<DeviceException>(() => DeviceName.Parse(text)).Fault);

    [Fact]
    public async Task What_exists_goes_before_a_partition()
    {
        string odd = _file.Path + "#1";
        File.Copy(_file.Path, odd);
        try
        {
            await using BlockDevice device = await DeviceOpener.OpenAsync(odd, new DeviceOptions());
            Assert.Equal(1 << 20, device.Length);
        }
        finally
        {
            File.Delete(odd);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_image_in_use_is_refused_and_free_again_after_closing(bool isPortable)
    {
        var options = new DeviceOptions { IsPortable = isPortable };
        BlockDevice first = await DeviceOpener.OpenAsync(_file.Path, options);
        await AssertFault(IoFault.Busy, options);
        await AssertFault(IoFault.Busy, options with { IsReadOnly = true });
        await first.DisposeAsync();
        await (await DeviceOpener.OpenAsync(_file.Path, options)).DisposeAsync();
    }

    [Fact]
    public async Task Readers_share_an_image_and_keep_writers_out()
    {
        var reading = new DeviceOptions { IsReadOnly = true };
        await using BlockDevice first = await DeviceOpener.OpenAsync(_file.Path, reading);
        await using BlockDevice second = await DeviceOpener.OpenAsync(_file.Path, reading);
        Assert.True(first.IsReadOnly);
        await AssertFault(IoFault.Busy, new DeviceOptions());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_changes_nothing_and_every_write_is_refused(bool isPortable)
    {
        byte[] before = SHA256.HashData(File.ReadAllBytes(_file.Path));
        DateTime written = File.GetLastWriteTimeUtc(_file.Path);
        using (var memory = new AlignedBuffer(4096))
        {
            await using BlockDevice device =
                await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions { IsReadOnly = true, IsPortable = isPortable });
            IoResult refused = IoResult.Failed(IoFault.ReadOnly);
            Assert.Equal(refused, await device.WriteAsync(0, memory.Segment));
            Assert.Equal(refused, await device.WriteAsync(0, memory.Segment, isThrough: true));
            Assert.Equal(refused, await device.DiscardAsync(0, 4096));
            Assert.Equal(refused, await device.WriteZeroesAsync(0, 4096));
            Assert.False((await device.FlushAsync()).IsFailed);
            Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(0, memory.Segment));
        }

        Assert.Equal(before, SHA256.HashData(File.ReadAllBytes(_file.Path)));
        Assert.Equal(written, File.GetLastWriteTimeUtc(_file.Path));
    }

    [Fact]
    public async Task What_is_no_device_is_refused_by_its_reason()
    {
        Assert.Equal(IoFault.NotFound, (await Refused(_file.Path + "-missing")).Fault);
        Assert.Equal(IoFault.IsADirectory, (await Refused(Path.GetTempPath())).Fault);
        Assert.Equal(IoFault.InvalidArgument, (await Refused("/dev/null")).Fault);
    }

    [Fact]
    public async Task A_missing_image_is_made_only_when_asked_and_sparse()
    {
        string path = _file.Path + "-new";
        try
        {
            await using BlockDevice device = await DeviceOpener.OpenAsync(path, new DeviceOptions { CreateLength = 1L << 30 });
            Assert.Equal(1L << 30, device.Length);
            Assert.Equal(Errno.None, HostFile.GetStatus(path, out FileStatus status));
            Assert.True(status.AllocatedBytes < 1 << 20);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_length_that_direct_io_cannot_reach_takes_the_portable_path_and_says_why()
    {
        using var odd = new TemporaryFile((1 << 20) + 100);
        await using BlockDevice device = await DeviceOpener.OpenAsync(odd.Path, new DeviceOptions());
        Assert.Equal((1 << 20) + 100, device.Length);
        Assert.Contains("no multiple of", device.Description, StringComparison.Ordinal);
        using var memory = new AlignedBuffer(4096);
        Assert.Equal(IoResult.Transferred(100), await device.WriteAsync(1 << 20, memory.Segment.Slice(0, 100)));
    }

    [Fact]
    public async Task A_host_that_refuses_direct_io_takes_the_portable_path_and_says_why()
    {
        const string Shared = "/dev/shm";
        Assert.SkipUnless(Directory.Exists(Shared), "There is no /dev/shm.");
        string path = Path.Combine(Shared, $"penstock-test-{Guid.NewGuid():N}");
        try
        {
            await using BlockDevice device = await DeviceOpener.OpenAsync(path, new DeviceOptions { CreateLength = 1 << 20 });
            if (device is PortableDevice)
            {
                Assert.Contains("(", device.Description, StringComparison.Ordinal);
            }

            using var memory = new AlignedBuffer(4096);
            memory.GetSpan().Fill(9);
            Assert.Equal(IoResult.Transferred(4096), await device.WriteAsync(4096, memory.Segment));
            Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(4096, memory.Segment));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Memory_is_sparse_however_long_it_is()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync("mem:64T", new DeviceOptions());
        var memory = Assert.IsType<MemoryDevice>(device);
        using var buffer = new AlignedBuffer(4096);
        buffer.GetSpan().Fill(7);
        await device.WriteAsync((64L << 40) - 4096, buffer.Segment);
        Assert.InRange(memory.AllocatedBytes, 1, 1 << 20);
        Assert.Equal(64L << 40, (await device.WriteZeroesAsync(0, 64L << 40)).Bytes);
        Assert.Equal(0, memory.AllocatedBytes);
        Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync((64L << 40) - 4096, buffer.Segment));
        Assert.Equal(-1, buffer.GetSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void A_mount_is_recognised_by_device_number_and_by_source()
    {
        Assert.Equal(Errno.None, HostFile.GetStatus(_file.Path, out FileStatus image));
        string source = _file.Path.Replace(" ", "\\040", StringComparison.Ordinal);
        string[] table =
        [
            "21 1 0:19 / /proc rw,nosuid shared:12 - proc proc rw",
            "damaged line",
            $"40 1 7:0 / /mnt/with\\040blank rw shared:1 master:2 - fuse2fs {source} rw",
        ];
        Assert.Equal("/mnt/with blank", KernelUse.FindMount(image, table));
        Assert.Null(KernelUse.FindMount(image, table[..2]));
        Assert.Null(KernelUse.FindMount(image, [$"40 1 7:0 / /mnt rw - fuse.penstock {source} rw"]));
    }

    public void Dispose() => _file.Dispose();

    private static async Task<DeviceException> Refused(string name) =>
        await Assert.ThrowsAsync<DeviceException>(async () => await DeviceOpener.OpenAsync(name, new DeviceOptions()));

    private async Task AssertFault(IoFault fault, DeviceOptions options) =>
        Assert.Equal(fault, (await Assert.ThrowsAsync<DeviceException>(async () => await DeviceOpener.OpenAsync(_file.Path, options))).Fault);
}
