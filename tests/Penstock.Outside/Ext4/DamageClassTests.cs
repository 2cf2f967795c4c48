using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>One damage of each kind that random ones have shown us to judge or mend otherwise than e2fsck: the same verdict, and clean after a repair.</summary>
public sealed class DamageClassTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    /// <summary>What mke2fs is told, and a script that damages <c>$i</c>; <c>d</c> is debugfs.</summary>
    public static TheoryData<string, string> Damages() => new()
    {
        { "-t ext4 -b 1024 -O mmp", "d \"zap_block -p 0x46 -o 144 -l 1 $(field 'MMP block number')\"" },
        { "-t ext4 -b 1024 -O mmp", "d \"zap_block -p 0x46 -o 0 -l 1 $(field 'MMP block number')\"" },
        { "-t ext2 -b 1024", "d 'sif <7> links_count 0'" },
        { "-t ext2 -b 1024", "d 'sif <7> block[IND] 300'" },
        { "-t ext4 -b 1024", "d 'sif <7> flags 0x80000'" },
        { "-t ext2 -b 1024", "d 'ssv first_ino 12'" },
        { "-t ext2 -b 1024", "d 'ssv orphan_file_inum 40'" },
        { "-t ext4 -b 1024 -O orphan_file", "d 'ssv orphan_file_inum 40'" },
        { "-t ext4 -b 1024 -O quota", "d 'zap_block -f <3> -p 0x63 -o 20 -l 1 0'" },
        { "-t ext4 -b 1024 -O quota", "d 'zap_block -f <3> -p 0x01 -o 116 -l 1 4'" },
        { "-t ext3 -b 1024", "d 'sif <8> block[3] 0'" },
        { "-t ext3 -b 1024", "d 'zap_block -f <8> -p 0xff -o 40 -l 4 0'" },
        { "-t ext3 -b 1024", "d 'zap_block -f <8> -p 0x20 -o 43 -l 1 0'" },
        { "-t ext3 -b 1024", "d 'zap_block -f <8> -p 0x03 -o 7 -l 1 0'" },
        { "-t ext4 -b 1024", "d 'zap_block -o 28 -l 2 -p 0x77 2'" },
        { "-t ext4 -b 1024", "d 'set_bg 0 flags 7'; d 'set_bg 0 checksum calc'" },
        { "-t ext4 -b 1024", "d 'clri <2>'" },
        { "-t ext4 -b 1024", "d 'sif <2> mode 0100644'" },
        { "-t ext4 -b 1024", "d 'set_bg 0 inode_table 2000'; d 'set_bg 0 checksum calc'" },
        { "-t ext4 -b 1024", "d 'zap_block -f / -p 0x41 -o 9 -l 1 0'" },
        { "-t ext4 -b 1024", "d 'sif /large flags 0x280800'" },
        { "-t ext4 -b 1024", "d 'sif <900> mode 0100644'; d 'sif <900> dtime @5'" },
        { "-t ext2 -b 1024 -g 2048", "printf '\\007' | dd of=$i bs=1 seek=1024 conv=notrunc status=none" },
        { "-t ext2 -b 1024 -g 2048", "d 'zap_block -p 0x55 2'" },
        { "-t ext2 -b 1024 -g 2048", "d 'zap_block -p 0x55 -o 8 -l 4 2'" },
        { "-t ext4 -b 1024 -O inline_data", "d 'sif /deep/a/b/c/file size 4294967304'" },
        { "-t ext4 -b 1024", "d 'ssv blocks_count 20000'" },
        { "-t ext4 -b 1024", "truncate -s 11M $i" },
        { "-t ext2 -b 1024", "truncate -s 9M $i" },
        { "-t ext4 -b 1024", "truncate -s 1M $i" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task Is_judged_as_e2fsck_does_and_made_clean(string features, string damage)
    {
        string image = CheckTests.MakeVolume(scratch, features);
        string sound = OutsideProgram.Run("sha256sum", image);
        Script.Run(scratch.Root, $$"""
            i={{image}}
            d() { debugfs -w -R "$1" $i 2>/dev/null; }
            field() { dumpe2fs -h $i 2>/dev/null | sed -n "s/$1: *//p"; }
            {{damage}}
            """);
        Assert.NotEqual(sound, OutsideProgram.Run("sha256sum", image));
        CheckReport report = await VolumeCheck.RunAsync(image);
        (int theirs, string output) = Script.TryRun(scratch.Root, $"e2fsck -fn {image}", 20);
        string told = $"e2fsck {theirs}: {CheckTests.Shorten(output)}\n{report.Verdict}: {string.Join('\n', report.Problems)}";
        Assert.True((report.Verdict == CheckVerdict.Clean) == (theirs == 0), told);

        string copy = scratch["theirs.img"];
        File.Copy(image, copy);
        (int reached, _) = Script.TryRun(scratch.Root, $"e2fsck -fy {copy} > /dev/null 2>&1; e2fsck -fy {copy} > /dev/null 2>&1; e2fsck -fn {copy}", 30);
        CheckReport repaired = await VolumeCheck.RepairAsync(image);
        (int after, output) = Script.TryRun(scratch.Root, $"e2fsck -fn {image}", 20);
        Assert.True(after == 0 || reached != 0, $"{told}\nafter the repair, {after}: {CheckTests.Shorten(output)}\n{repaired.Verdict}: {string.Join('\n', repaired.Problems)}");
        Assert.Equal(after == 0, repaired.Verdict is CheckVerdict.Clean or CheckVerdict.Repaired);
    }
}
