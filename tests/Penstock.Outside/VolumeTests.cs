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
    public async Task What_cannot_leave_its_inode_for_want_of_space_stays_in_it()
    {
        using var scratch = new ScratchFolder();
        string tree = Directory.CreateDirectory(scratch["tree"]).FullName;
        await File.WriteAllTextAsync(Path.Combine(tree, "small"), "small");
        Directory.CreateDirectory(Path.Combine(tree, "folder", "first"));
        string image = scratch.MakeImage("v.img", 8 << 20);
        OutsideProgram.Run("mkfs.ext4", "-q", "-F", "-O", "inline_data", "-b", "1024", "-d", tree, image);
        List<string> names = ["first"];
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            // What is promised to a file that grows is more than it takes in the end: there is room for another one, at first. Attributes take what is left.
            for (int i = 0; await FillAsync(volume, $"/fill{i}") > 0; i++)
            {
            }

            await FillWithAttributesAsync(volume);
            await using (OpenFile small = await volume.OpenFileAsync("/small", FileMode.Open, FileAccess.ReadWrite))
            {
                FileSystemException full = await Assert.ThrowsAsync<FileSystemException>(async () => await small.WriteAsync(new byte[3000], 5));
                Assert.Equal(IoFault.NoSpace, full.Fault);
            }

            FileSystemException? noRoom = null;
            for (int i = 0; noRoom is null; i++)
            {
                try
                {
                    await using OpenFile made = await volume.OpenFileAsync($"/folder/a-name-of-some-length-{i}", FileMode.CreateNew, FileAccess.ReadWrite);
                    names.Add($"a-name-of-some-length-{i}");
                }
                catch (FileSystemException e)
                {
                    noRoom = e;
                }
            }

            Assert.Equal(IoFault.NoSpace, noRoom.Fault);
        }

        OutsideProgram.Run("e2fsck", "-fn", image);
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            await using (OpenFile small = await volume.OpenFileAsync("/small", FileMode.Open, FileAccess.Read))
            {
                byte[] read = new byte[16];
                Assert.Equal("small", System.Text.Encoding.ASCII.GetString(read, 0, await small.ReadAsync(read, 0)));
            }

            List<string> found = [];
            await foreach (VolumeEntry entry in volume.EnumerateAsync("/folder"))
            {
                found.Add(entry.Name);
            }

            Assert.Equal(names.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
            await volume.DeleteFileAsync("/fill0");
            await using OpenFile grown = await volume.OpenFileAsync("/small", FileMode.Open, FileAccess.ReadWrite);
            Assert.Equal(3000, await grown.WriteAsync(new byte[3000], 5));
        }

        OutsideProgram.Run("e2fsck", "-fn", image);
    }

    /// <summary>Makes a file that takes what there is: its length.</summary>
    private static async Task<long> FillAsync(Volume volume, string path)
    {
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.CreateNew, FileAccess.ReadWrite);
        try
        {
            while (true)
            {
                await file.WriteAsync(new byte[1024], file.Length);
            }
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace)
        {
            await file.FlushAsync();
            return file.Length;
        }
    }

    /// <summary>Makes files with a block of attributes each.</summary>
    private static async Task FillWithAttributesAsync(Volume volume)
    {
        try
        {
            for (int i = 0; ; i++)
            {
                await using OpenFile made = await volume.OpenFileAsync($"/attributes{i}", FileMode.CreateNew, FileAccess.ReadWrite);
                byte[] value = new byte[900];
                BitConverter.TryWriteBytes(value, i);
                await volume.SetAttributeAsync($"/attributes{i}", "user.large", value);
            }
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace)
        {
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
