using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Library;

/// <summary>What a .NET program does with a volume and with ranges of its files, through the public face alone; e2fsck has the last word.</summary>
public sealed class RangeTests
{
    private const int Block = 4096;

    [Fact]
    public async Task A_program_makes_a_volume_and_changes_ranges_of_its_files()
    {
        using var scratch = new ScratchFolder();
        string image = scratch["made.img"];
        await Volume.MakeAsync(image, new MakingOptions { Length = 64 << 20, BlockSize = Block });
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            await using OpenFile file = await volume.OpenFileAsync("/ranges", FileMode.CreateNew, FileAccess.ReadWrite);
            byte[] expected = Pattern(16 * Block);
            await file.WriteAsync(expected, 0);
            await file.FlushAsync();

            await file.ChangeRangeAsync(FileRangeChange.PunchHole, 2 * Block, 2 * Block);
            expected.AsSpan(2 * Block, 2 * Block).Clear();
            await file.ChangeRangeAsync(FileRangeChange.ZeroKeepingSize, 100, 1000);
            expected.AsSpan(100, 1000).Clear();
            await RequireContentAsync(file, expected);
            Assert.Equal(2 * Block, await file.FindHoleAsync(0));
            Assert.Equal(4 * Block, await file.FindDataAsync(2 * Block));
            Assert.Null(await file.FindDataAsync(expected.Length));

            await file.ChangeRangeAsync(FileRangeChange.Collapse, Block, Block);
            await file.ChangeRangeAsync(FileRangeChange.Insert, 8 * Block, Block);
            expected = [.. expected.Take(Block), .. expected.Skip(2 * Block).Take(7 * Block), .. new byte[Block], .. expected.Skip(9 * Block)];
            await RequireContentAsync(file, expected);

            await file.ChangeRangeAsync(FileRangeChange.AllocateKeepingSize, 0, 32 * Block);
            Assert.Equal(expected.Length, file.Length);
            List<FileExtent> extents = [];
            await foreach (FileExtent extent in file.EnumerateExtentsAsync())
            {
                extents.Add(extent);
            }

            Assert.Equal(32 * Block, extents.Sum(e => e.Length));
            Assert.Contains(extents, e => (e.Flags & FileExtentFlags.Unwritten) != 0);

            await using OpenFile copy = await volume.OpenFileAsync("/copy", FileMode.CreateNew, FileAccess.ReadWrite);
            Assert.Equal(expected.Length - 10, await file.CopyRangeAsync(10, copy, 0, long.MaxValue / 2));
            await RequireContentAsync(copy, expected[10..]);
            IoFault fault = (await Assert.ThrowsAsync<FileSystemException>(async () => await file.CopyRangeAsync(0, file, 10, 100))).Fault;
            Assert.Equal(IoFault.InvalidArgument, fault);
            fault = (await Assert.ThrowsAsync<FileSystemException>(
                async () => await file.ChangeRangeAsync(FileRangeChange.Collapse, 1, Block))).Fault;
            Assert.Equal(IoFault.InvalidArgument, fault);
        }

        Assert.Equal(0, OutsideProgram.TryRun("e2fsck", "-fn", image).ExitCode);
    }

    [Fact]
    public async Task Making_without_a_length_needs_a_file()
    {
        using var scratch = new ScratchFolder();
        DeviceException refused = await Assert.ThrowsAsync<DeviceException>(async () => await Volume.MakeAsync(scratch["absent.img"]));
        Assert.Equal(IoFault.NotFound, refused.Fault);
        Assert.False(File.Exists(scratch["absent.img"]));
    }

    private static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(7).NextBytes(bytes);
        return bytes;
    }

    private static async Task RequireContentAsync(OpenFile file, byte[] expected)
    {
        byte[] found = new byte[expected.Length + 1];
        Assert.Equal(expected.Length, await file.ReadAsync(found, 0));
        Assert.True(expected.AsSpan().SequenceEqual(found.AsSpan(0, expected.Length)), "The content differs.");
    }
}
