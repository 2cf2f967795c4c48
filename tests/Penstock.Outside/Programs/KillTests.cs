using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>
/// The process behind a mount is killed under load, again and again on one volume, at a moment that a seed chooses: after so many acknowledgements. What fsync has
/// acknowledged is there afterwards, in this round and in all later ones.
/// </summary>
public sealed class KillTests
{
    private const int Writers = 4;

    private static readonly int s_rounds = Environment.GetEnvironmentVariable("PENSTOCK_LONG") == "1" ? 80 : 8;

    [Theory]
    [InlineData("mkfs.ext4", 1)]
    [InlineData("mkfs.ext4 -b 1024 -J size=4", 2)]
    [InlineData("mkfs.ext4 -O ^has_journal", 3)]
    [InlineData("mkfs.ext2", 4)]
    public void What_was_acknowledged_survives_a_kill(string making, int seed)
    {
        Assert.SkipWhen(MountedVolume.IsKernel, "the kernel cannot be killed");
        Needs.Tools("dumpe2fs");
        MountedVolume.Use(
            making,
            volume =>
            {
                var random = new Random(seed);
                var ledger = new KillLedger();
                for (int round = 0; round < s_rounds; round++)
                {
                    Load(volume, ledger, round, acknowledgements: random.Next(5, 120));
                    bool hasJournal = Recover(volume);
                    volume.Mount();
                    ledger.Judge(volume.Root, hasJournal);
                }
            },
            "256M");
    }

    /// <summary>Writers write until the mount is dead under them.</summary>
    private static void Load(MountedVolume volume, KillLedger ledger, int round, int acknowledgements)
    {
        using var reached = new CountdownEvent(acknowledgements);
        Thread[] writers =
        [
            .. Enumerable.Range(0, Writers).Select(w => new Thread(() => new KillWriter(volume.Root, ledger, round, w, reached).Run())),
        ];
        Array.ForEach(writers, static t => t.Start());
        Assert.True(reached.Wait(TimeSpan.FromMinutes(2)), "the writers do not get on");
        volume.Kill();
        foreach (Thread writer in writers)
        {
            Assert.True(writer.Join(TimeSpan.FromMinutes(1)), "a writer hangs though the mount is dead");
        }

        volume.TakeAway();
    }

    /// <summary>
    /// A volume whose journal waits for recovery is recovered by the next mount, and clean afterwards: true. Without a journal that is written, it takes a full e2fsck.
    /// </summary>
    private static bool Recover(MountedVolume volume)
    {
        bool hasJournal = OutsideProgram.Run("dumpe2fs", "-h", volume.Image).Contains("needs_recovery", StringComparison.Ordinal);
        if (hasJournal)
        {
            volume.Mount();
            volume.Unmount();
        }
        else
        {
            (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fy", volume.Image);
            Assert.True(code <= 1, $"e2fsck -fy returned {code}:\n{output}");
        }

        volume.Judge();
        return hasJournal;
    }
}
