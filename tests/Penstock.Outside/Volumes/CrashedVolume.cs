using Xunit;

namespace Penstock.Outside.Volumes;

/// <summary>A volume that crashes under load, and copies of it that each recoverer gets one of.</summary>
internal sealed class CrashedVolume : IDisposable
{
    private static readonly TimeSpan s_load = TimeSpan.FromMilliseconds(700);

    private readonly ScratchFolder _scratch = new();
    private readonly List<string> _mounted = [];

    /// <param name="making">A command line of mkfs.ext4; JOURNAL in it is a device with an external journal.</param>
    public CrashedVolume(string making)
    {
        OutsideProgram.Run("chmod", "755", _scratch.Root);
        OutsideProgram.Run("truncate", "-s", "128M", Image);
        if (making.Contains("JOURNAL", StringComparison.Ordinal))
        {
            OutsideProgram.Run("truncate", "-s", "16M", _scratch["journal.img"]);
            JournalDevice = OutsideProgram.Run("losetup", "-f", "--show", _scratch["journal.img"]).Trim();
            OutsideProgram.Run("mke2fs", "-q", "-F", "-b", "4096", "-O", "journal_dev", JournalDevice);
        }

        string[] words = making.Replace("JOURNAL", JournalDevice, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        OutsideProgram.Run(words[0], ["-q", "-F", .. words[1..], Image]);
    }

    /// <summary>The device with its journal, if it has one of its own.</summary>
    public string? JournalDevice { get; }

    /// <summary>The volume as it lies there.</summary>
    public string Image => _scratch["volume.img"];

    /// <summary>Stops the kernel's ext4 under load, as if the power had gone: what is in its memory is lost.</summary>
    public void CrashByKernel(string options, Func<string, Action> load)
    {
        string root = MountByKernel(Image, options);
        Action end = load(root);
        AwaitLoad(root);
        OutsideProgram.Run("xfs_io", "-x", "-c", "shutdown", root);
        end();
        UnmountByKernel(root);
    }

    /// <summary>Kills our process under load.</summary>
    public void CrashByUs(Func<string, Action> load, params string[] options)
    {
        string root = NewRoot();
        PenstockProgram.Run(["mount", .. options, .. JournalOf(JournalDevice), Image, root]);
        _mounted.Add(root);
        Action end = load(root);
        AwaitLoad(root);
        OutsideProgram.Run("pkill", "-KILL", "-f", $"mount .*{root}");
        end();
        OutsideProgram.Run("umount", "-l", root);
        _mounted.Remove(root);
    }

    /// <summary>The kernel, e2fsck and we, for writing and for reading only, make the same of it.</summary>
    public void AssertRecoveredAlike()
    {
        (SortedDictionary<string, string> overlaid, SortedDictionary<string, string> replayed) = RecoverByUs(isSameVolume: true);
        TreeListing.AssertSame(replayed, overlaid);
        Assert.True(replayed.Count > 10, "the load has left nothing to compare");

        // It would make trees of extents smaller, too.
        string repaired = Copy("e2fsck");
        (int code, string output) = OutsideProgram.TryRun("e2fsck", ["-fy", "-E", "no_optimize_extents", .. JournalForFsck(repaired), repaired]);
        Assert.True(code <= 1, output);
        string root = MountByKernel(repaired, JournalDevice is null ? "loop,ro" : "loop,ro,noload");
        TreeListing.AssertSame(TreeListing.Of(root, isSameVolume: true), replayed);
        UnmountByKernel(root);
        TreeListing.AssertSame(RecoverByKernel(isSameVolume: true), replayed);
    }

    /// <summary>What we make of it, for reading only and for writing; e2fsck finds nothing wrong then.</summary>
    /// <param name="isSameVolume">See <see cref="TreeListing.Of"/>.</param>
    /// <param name="found">What the mount says of the journal.</param>
    public (SortedDictionary<string, string> Overlaid, SortedDictionary<string, string> Replayed) RecoverByUs(bool isSameVolume, string found = "journal")
    {
        string ours = Copy("ours");
        SortedDictionary<string, string> overlaid = ListOurs(ours, isSameVolume, found, "--read-only");
        OutsideProgram.Run("cmp", Image, ours);
        SortedDictionary<string, string> replayed = ListOurs(ours, isSameVolume, found);
        (int code, string output) = OutsideProgram.TryRun("e2fsck", ["-fn", .. JournalForFsck(ours), ours]);
        Assert.True(code == 0, output);
        return (overlaid, replayed);
    }

    /// <summary>What the kernel makes of it. The last: it gets the originals, since it knows an external journal by its device.</summary>
    public SortedDictionary<string, string> RecoverByKernel(bool isSameVolume)
    {
        string root = MountByKernel(Image, "loop");
        SortedDictionary<string, string> listing = TreeListing.Of(root, isSameVolume);
        UnmountByKernel(root);
        return listing;
    }

    public void Dispose()
    {
        foreach (string root in _mounted)
        {
            // The test has failed: whatever state the mount is in, nothing of it stays.
            OutsideProgram.TryRun("umount", "-l", root);
        }

        if (JournalDevice is not null)
        {
            OutsideProgram.TryRun("losetup", "-d", JournalDevice);
        }

        _scratch.Dispose();
    }

    private static string[] JournalOf(string? device) => device is null ? [] : ["--journal", device];

    private string[] JournalForFsck(string image) => JournalDevice is null ? [] : ["-j", $"{image}.journal"];

    private SortedDictionary<string, string> ListOurs(string image, bool isSameVolume, string found, params string[] options)
    {
        string root = NewRoot();
        string said = PenstockProgram.Run(["mount", .. options, .. JournalOf(JournalDevice is null ? null : $"{image}.journal"), image, root]);
        _mounted.Add(root);
        Assert.Contains(found, said, StringComparison.Ordinal);
        Assert.False(said.Contains("mounted for reading only", StringComparison.Ordinal), said);
        SortedDictionary<string, string> listing = TreeListing.Of(root, isSameVolume);
        PenstockProgram.Run("unmount", root);
        _mounted.Remove(root);
        return listing;
    }

    private string Copy(string name)
    {
        OutsideProgram.Run("cp", "--sparse=always", Image, _scratch[name]);
        if (JournalDevice is not null)
        {
            OutsideProgram.Run("blockdev", "--flushbufs", JournalDevice);
            OutsideProgram.Run("cp", "--sparse=always", _scratch["journal.img"], $"{_scratch[name]}.journal");
        }

        return _scratch[name];
    }

    /// <summary>A machine that is busy with something else gets the time it needs until there is something to compare.</summary>
    private static void AwaitLoad(string root)
    {
        const int Enough = 40;
        Thread.Sleep(s_load);
        for (int i = 0; i < 100 && Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories).Take(Enough).Count() < Enough; i++)
        {
            Thread.Sleep(s_load / 7);
        }
    }

    private string MountByKernel(string image, string options)
    {
        string root = NewRoot();
        OutsideProgram.Run("mount", "-t", "ext4", "-o", options, image, root);
        _mounted.Add(root);
        return root;
    }

    private void UnmountByKernel(string root)
    {
        OutsideProgram.Run("umount", root);
        _mounted.Remove(root);
    }

    private string NewRoot()
    {
        string root = _scratch[$"mnt-{Guid.NewGuid():N}"];
        Directory.CreateDirectory(root);
        return root;
    }
}
