using Penstock.Files;
using Penstock.Testing.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Random buffered changes of a file on real volumes: against an array, and with e2fsck as the judge of what they leave.</summary>
public sealed class BufferedContentTests
{
    [Theory]
    [InlineData(1, "-t", "ext4")]
    [InlineData(2, "-t", "ext4", "-b", "1024")]
    [InlineData(3, "-t", "ext4", "-b", "65536")]
    [InlineData(4, "-t", "ext4", "-O", "inline_data")]
    [InlineData(5, "-t", "ext4", "-O", "bigalloc")]
    [InlineData(6, "-t", "ext3")]
    [InlineData(7, "-t", "ext2", "-b", "1024")]
    public async Task Random_changes_agree_with_an_array_and_leave_a_clean_volume(int seed, params string[] options)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 128 << 20);
        OutsideProgram.Run("mkfs.ext4", [.. options, "-q", "-F", image]);
        byte[] content;
        await using (Volume volume = await Volume.OpenAsync(image))
        {
            await using OpenFile file = await volume.OpenFileAsync("/file", FileMode.CreateNew, FileAccess.ReadWrite);
            int cluster = options.Contains("bigalloc") ? 65536 : 0;
            var model = new FileModel(file.Inode, new Random(seed), cluster);
            await model.RunAsync(200);
            content = model.Content.ToArray();
            await file.FlushAsync();
        }

        OutsideProgram.Run("e2fsck", "-fn", image);
        await using (Volume volume = await Volume.OpenAsync(image, new VolumeOptions { IsReadOnly = true }))
        {
            await using OpenFile file = await volume.OpenFileAsync("/file", FileMode.Open, FileAccess.Read);
            byte[] read = new byte[content.Length + 1];
            Assert.Equal(content.Length, await file.ReadAsync(read, 0));
            Assert.True(content.AsSpan().SequenceEqual(read.AsSpan(0, content.Length)));
        }
    }
}
