using System.Diagnostics;
using Penstock.Devices;
using Xunit;

namespace Penstock.Outside.Devices;

/// <summary>Raw disks, and images that the kernel uses, on real loop devices.</summary>
public sealed class KernelUseTests : IDisposable
{
    private readonly string _image = Path.Combine(Path.GetTempPath(), $"penstock-loop-{Guid.NewGuid():N}.img");
    private readonly List<string> _loops = [];

    public KernelUseTests()
    {
        Assert.SkipUnless(Environment.UserName == "root", "loop devices need root");
        using FileStream stream = File.Create(_image);
        stream.SetLength(16 << 20);
    }

    [Fact]
    public async Task An_image_behind_a_loop_device_is_refused_until_that_is_gone()
    {
        string loop = Attach();
        DeviceException refused = await Refused(_image, new DeviceOptions());
        Assert.Equal(IoFault.Busy, refused.Fault);
        Assert.Contains(loop, refused.Message, StringComparison.Ordinal);
        Assert.Equal(IoFault.Busy, (await Refused(_image, new DeviceOptions { IsReadOnly = true })).Fault);
        Detach(loop);
        await (await DeviceOpener.OpenAsync(_image, new DeviceOptions())).DisposeAsync();
    }

    [Fact]
    public async Task A_reader_may_share_an_image_with_a_loop_device_that_only_reads()
    {
        Attach("--read-only");
        await (await DeviceOpener.OpenAsync(_image, new DeviceOptions { IsReadOnly = true })).DisposeAsync();
        Assert.Equal(IoFault.Busy, (await Refused(_image, new DeviceOptions())).Fault);
    }

    [Fact]
    public async Task A_mounted_disk_is_refused_for_writing_and_for_reading()
    {
        Run("mke2fs", "-q", "-F", _image);
        string loop = Attach();
        string directory = Directory.CreateTempSubdirectory("penstock-mount-").FullName;
        Run("mount", loop, directory);
        try
        {
            Assert.Equal(IoFault.Busy, (await Refused(loop, new DeviceOptions())).Fault);
            DeviceException reading = await Refused(loop, new DeviceOptions { IsReadOnly = true });
            Assert.Equal(IoFault.Busy, reading.Fault);
            Assert.Contains(directory, reading.Message, StringComparison.Ordinal);
        }
        finally
        {
            Run("umount", directory);
            Directory.Delete(directory);
        }

        await (await DeviceOpener.OpenAsync(loop, new DeviceOptions())).DisposeAsync();
    }

    [Fact]
    public async Task A_raw_disk_opened_as_a_file_has_what_was_written_in_each_mode()
    {
        string loop = Attach();
        using var memory = new AlignedBuffer(64 << 10);
        new Random(2).NextBytes(memory.GetSpan());
        await using (OpenFile disk = await OpenFile.OpenDeviceAsync(loop))
        {
            Assert.Equal(16 << 20, disk.Length);
            Assert.Equal(memory.Length, await disk.WriteAsync(memory.Memory, 1 << 20, IoOptions.Direct));
            Assert.Equal(10_000, await disk.WriteAsync(memory.Memory[..10_000], 5_000_001));
            byte[] read = new byte[5000];
            Assert.Equal(read.Length, await disk.ReadAsync(read, (1 << 20) + 3));
            Assert.True(memory.GetSpan().Slice(3, read.Length).SequenceEqual(read));
            await disk.FlushAsync();
        }

        Detach(loop);
        byte[] image = await File.ReadAllBytesAsync(_image);
        Assert.True(image.AsSpan(1 << 20, memory.Length).SequenceEqual(memory.GetSpan()));
        Assert.True(image.AsSpan(5_000_001, 10_000).SequenceEqual(memory.GetSpan()[..10_000]));
    }

    [Theory]
    [InlineData(false, 512)]
    [InlineData(true, 512)]
    [InlineData(false, 4096)]
    public async Task A_raw_disk_does_all_that_is_asked_of_a_device(bool isPortable, int sector)
    {
        string loop = Attach("--sector-size", $"{sector}");
        using var memory = new AlignedBuffer(16 << 10);
        using var target = new AlignedBuffer(16 << 10);
        new Random(1).NextBytes(memory.GetSpan());
        await using (BlockDevice device = await DeviceOpener.OpenAsync(loop, new DeviceOptions { IsPortable = isPortable }))
        {
            Assert.Equal(16 << 20, device.Length);
            Assert.Equal(isPortable ? 1 : sector, device.LogicalBlockSize);
            Assert.Equal(IoFault.Busy, (await Refused(loop, new DeviceOptions())).Fault);
            Assert.Equal(IoResult.Transferred(16 << 10), await device.WriteAsync(4096, memory.Segment));
            Assert.Equal(IoResult.Transferred(16 << 10), await device.WriteAsync(1 << 20, memory.Segment, isThrough: true));
            Assert.Equal(IoResult.Transferred(8192), await device.WriteZeroesAsync(8192, 8192));
            Assert.Equal(IoResult.Transferred(1 << 20), await device.DiscardAsync(8 << 20, 1 << 20));
            Assert.Equal(IoResult.Transferred(0), await device.FlushAsync());
            Assert.Equal(IoResult.Transferred(16 << 10), await device.ReadAsync(4096, target.Segment));
        }

        memory.GetSpan()[4096..12288].Clear();
        Assert.True(memory.GetSpan().SequenceEqual(target.GetSpan()));
        await using BlockDevice again = await DeviceOpener.OpenAsync(loop, new DeviceOptions { IsReadOnly = true });
        Assert.Equal(IoResult.Transferred(16 << 10), await again.ReadAsync(4096, target.Segment));
        Assert.True(memory.GetSpan().SequenceEqual(target.GetSpan()));
    }

    [Fact]
    public async Task A_disk_of_large_sectors_takes_small_blocks_through_read_modify_write()
    {
        string loop = Attach("--sector-size", "4096");
        BlockDevice disk = await DeviceOpener.OpenAsync(loop, new DeviceOptions());
        await using BlockDevice device = SubBlockDevice.For(disk, 1024);
        using var memory = new AlignedBuffer(4096);
        memory.GetSpan()[..1024].Fill(7);
        Assert.Equal(IoResult.Transferred(1024), await device.WriteAsync(5120, memory.Segment.Slice(0, 1024)));
        Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(4096, memory.Segment));
        Assert.Equal(1024, memory.GetSpan().IndexOf((byte)7));
        Assert.Equal(-1, memory.GetSpan()[2048..].IndexOf((byte)7));
    }

    [Fact]
    public async Task Partitions_made_by_sfdisk_are_found()
    {
        foreach (string label in (string[])["gpt", "dos"])
        {
            Run("sh", "-c", $"printf 'label: {label}\\nstart=2048,size=4096\\nstart=8192,size=8192\\n' | sfdisk -q --wipe always {_image}");
            await using BlockDevice device = await DeviceOpener.OpenAsync(_image + "#2", new DeviceOptions { IsReadOnly = true });
            Assert.Equal(8192 * 512, device.Length);
            Assert.Contains($"at byte {8192 * 512}", device.Description, StringComparison.Ordinal);
        }
    }

    public void Dispose()
    {
        foreach (string loop in _loops.ToArray())
        {
            Detach(loop);
        }

        File.Delete(_image);
    }

    private static async Task<DeviceException> Refused(string name, DeviceOptions options) =>
        await Assert.ThrowsAsync<DeviceException>(async () => await DeviceOpener.OpenAsync(name, options));

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors}");
        return output.Trim();
    }

    private string Attach(params string[] options)
    {
        string loop = Run("losetup", ["--find", "--show", .. options, _image]);
        _loops.Add(loop);
        return loop;
    }

    private void Detach(string loop)
    {
        Run("losetup", "--detach", loop);
        _loops.Remove(loop);
    }
}
