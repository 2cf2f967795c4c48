using Xunit;

namespace Penstock.Outside;

/// <summary>The library as a user meets it, on image files, with e2fsck as the judge.</summary>
public sealed class VolumeTests
{
    [Theory]
    [InlineData("-t", "ext4")]
    [InlineData("-t", "ext3")]
    [InlineData("-t", "ext2")]
    [InlineData("-t", "ext4", "-b", "1024")]
    [InlineData("-t", "ext4", "-O", "^metadata_csum,^64bit")]
    [InlineData("-t", "ext4", "-O", "bigalloc")]
    [InlineData("-t", "ext4", "-O", "inline_data")]
    public async Task What_is_written_reads_back_after_closing_and_the_volume_is_clean(params string[] options)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 64 << 20);
        OutsideProgram.Run("mkfs.ext4", [.. options, "-q", "-F", image]);
        byte[] content = new byte[300_000];
        new Random(1).NextBytes(content);
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            await volume.CreateDirectoryAsync("/db");
            for (int i = 0; i < 50; i++)
            {
                await using OpenFile small = await volume.OpenFileAsync($"/db/small{i}", FileMode.CreateNew, FileAccess.ReadWrite);
                await small.WriteAsync(content.AsMemory(0, i * 37), 0);
            }

            await using (OpenFile file = await volume.OpenFileAsync("/db/wal", FileMode.OpenOrCreate, FileAccess.ReadWrite, IoOptions.Direct))
            {
                using var buffer = new AlignedBuffer(262_144);
                content.AsSpan(0, buffer.Length).CopyTo(buffer.GetSpan());
                Assert.Equal(buffer.Length, await file.WriteAsync(buffer.Memory, 0));
                await file.FlushAsync();
            }

            await volume.MoveAsync("/db/small3", "/moved");
            await volume.CreateSymbolicLinkAsync("/link", "db/wal");
            await volume.CreateHardLinkAsync("/moved", "/db/hard");
            await volume.DeleteFileAsync("/db/small4");
        }

        OutsideProgram.Run("e2fsck", "-fn", image);
        await using (Volume volume = await Volume.OpenAsync(image, new VolumeOptions { IsReadOnly = true }))
        {
            await using OpenFile file = await volume.OpenFileAsync("/link", FileMode.Open, FileAccess.Read);
            byte[] read = new byte[262_144];
            Assert.Equal(read.Length, await file.ReadAsync(read, 0));
            Assert.True(content.AsSpan(0, read.Length).SequenceEqual(read));
            Assert.Equal(3 * 37, (await volume.GetDetailsAsync("/moved")).Length);
            Assert.Equal(2u, (await volume.GetDetailsAsync("/db/hard")).Links);
            Assert.False(await volume.ExistsAsync("/db/small4"));
        }
    }

    [Fact]
    public async Task A_volume_that_is_opened_and_closed_stays_as_it_was_to_the_byte()
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 64 << 20);
        OutsideProgram.Run("mkfs.ext4", "-q", "-F", image);
        byte[] before = System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(image));
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            await foreach (VolumeEntry entry in volume.EnumerateAsync("/"))
            {
                Assert.Equal("lost+found", entry.Name);
            }
        }

        Assert.Equal(before, System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(image)));
    }
}
