using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Files whose blocks are too many for 32 bits of sectors (huge_file), and such as count them in blocks of the volume (EXT4_HUGE_FILE_FL).</summary>
public sealed class HugeFileTests : IDisposable
{
    private const long Tebibyte = 1L << 40;
    private const long Tail = 8L << 30;

    private readonly ScratchFolder _scratch = new();

    private string Image => _scratch["v.img"];

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task More_sectors_than_32_bits_are_counted_by_48()
    {
        Make("huge_file");
        await UseAsync(static (_, f) => f.ChangeRangeAsync(FileRangeChange.Allocate, 0, 3 * Tebibyte));
        Assert.True(Judge() >= (ulong)(3 * Tebibyte / 512));
        await UseAsync(static async (v, f) =>
        {
            Assert.True((await v.GetDetailsAsync("/f")).AllocatedBytes >= 3 * Tebibyte);
            await f.SetLengthAsync(Tebibyte);
        });
        Assert.InRange(Judge(), (ulong)(Tebibyte / 512), (ulong)((Tebibyte / 512) + 1_000_000));
    }

    /// <summary>Not even a file whose data could be counted, if it took no blocks to say where it is.</summary>
    [Fact]
    public async Task Without_the_feature_32_bits_are_the_end()
    {
        Make("^huge_file");
        await UseAsync(static async (_, f) =>
        {
            await RefusedAsync(f.SetLengthAsync(2 * Tebibyte));
            await RefusedAsync(f.ChangeRangeAsync(FileRangeChange.AllocateKeepingSize, 2 * Tebibyte, 1));
            await RefusedAsync(f.ChangeRangeAsync(FileRangeChange.Allocate, 0, (2 * Tebibyte) - 4096));
            await f.ChangeRangeAsync(FileRangeChange.Allocate, 0, (2 * Tebibyte) - Tail);
        });
        Assert.InRange(Judge(), (ulong)(((2 * Tebibyte) - Tail) / 512), uint.MaxValue);

        static async Task RefusedAsync(ValueTask change) =>
            Assert.Equal(IoFault.FileTooLarge, (await Assert.ThrowsAsync<FileSystemException>(async () => await change)).Fault);
    }

    [Fact]
    public async Task A_file_that_counts_in_blocks_is_read_and_written()
    {
        const int Length = 40 << 10;
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "huge_file", Image, "32M");
        await UseAsync(static async (_, f) => await f.WriteAsync(new byte[Length], 0));
        Assert.Equal((ulong)Length / 512, Judge());

        // The flags EXTENTS and HUGE_FILE; nobody's files are so large that it is needed.
        Debugfs("set_inode_field f flags 0xC0000");
        Debugfs($"set_inode_field f blocks {Length / 4096}");
        Judge();
        await UseAsync(static async (v, f) =>
        {
            Assert.Equal(Length, (await v.GetDetailsAsync("/f")).AllocatedBytes);
            await f.WriteAsync(new byte[8192], Length);
            Assert.Equal(Length + 8192, (await v.GetDetailsAsync("/f")).AllocatedBytes);
        });
        Assert.Equal((ulong)(Length + 8192) / 512, Judge());
    }

    private void Make(string feature)
    {
        // Clusters of a mebibyte: else the bitmaps alone would take minutes.
        using (FileStream file = File.Create(Image))
        {
            file.SetLength(4 * Tebibyte);
        }

        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-O", $"bigalloc,^has_journal,^resize_inode,{feature}", "-C", "1048576", "-N", "2000", Image);
    }

    private async Task UseAsync(Func<Volume, OpenFile, ValueTask> use)
    {
        await using Volume volume = await Volume.OpenAsync(Image);
        await using OpenFile file = await volume.OpenFileAsync("/f", FileMode.OpenOrCreate, FileAccess.ReadWrite);
        await use(volume, file);
        await file.FlushAsync();
    }

    /// <summary>e2fsck finds nothing; i_blocks of the file as debugfs has it, in whatever unit.</summary>
    private ulong Judge()
    {
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", Image);
        Assert.True(code == 0, output[..Math.Min(output.Length, 3000)]);
        string told = Debugfs("stat f");
        string count = told[(told.IndexOf("Blockcount:", StringComparison.Ordinal) + 11)..].TrimStart();
        return ulong.Parse(count[..count.IndexOf('\n', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture);
    }

    private string Debugfs(string command) => OutsideProgram.Run("debugfs", "-w", "-R", command, Image);
}
