using System.Globalization;
using Xunit;

namespace Penstock.Outside.Volumes;

/// <summary>
/// A volume on an image file, mounted by us, and judged by e2fsck once it is unmounted. With <c>PENSTOCK_OUTSIDE=kernel</c> the kernel mounts it:
/// so a test can be checked against the file system that everybody knows.
/// </summary>
internal sealed class MountedVolume : IDisposable
{
    private readonly ScratchFolder _scratch = new();
    private bool _isMounted;

    private MountedVolume(string making, string size)
    {
        OutsideProgram.Run("chmod", "755", _scratch.Root);
        Image = _scratch["volume.img"];
        Root = _scratch["mnt"];
        Directory.CreateDirectory(Root);
        Make(making, size);
    }

    /// <summary>Whether the kernel stands in for us.</summary>
    public static bool IsKernel { get; } = Environment.GetEnvironmentVariable("PENSTOCK_OUTSIDE") == "kernel";

    /// <summary>Where it is mounted.</summary>
    public string Root { get; }

    public string Image { get; }

    /// <summary>A place outside the volume.</summary>
    public string Aside(string name) => _scratch[name];

    /// <summary>
    /// Makes a volume, mounts it, runs <paramref name="use"/> on it, unmounts it, and has it judged. <paramref name="making"/> is a
    /// command line of mkfs.ext4, or of our own mkfs if it begins with "ours".
    /// </summary>
    public static void Use(string making, Action<MountedVolume> use, string size = "512M")
    {
        Needs.Mounts();
        using var volume = new MountedVolume(making, size);
        volume.Mount();
        try
        {
            use(volume);
        }
        catch (Exception e) when (volume.DescribeDaemon() is { } trouble)
        {
            throw new InvalidOperationException($"{e.Message}\n{trouble}", e);
        }

        volume.Unmount();
        volume.Judge();
    }

    /// <summary>Runs a script in the root of the mount.</summary>
    public string Run(string script, int seconds = 120) => Script.Run(Root, script, seconds);

    public (int ExitCode, string Output) TryRun(string script, int seconds = 120) => Script.TryRun(Root, script, seconds);

    public void Mount(params string[] options)
    {
        if (IsKernel)
        {
            OutsideProgram.Run("mount", "-o", options.Contains("--read-only") ? "loop,ro" : "loop", Image, Root);
        }
        else
        {
            PenstockProgram.Run(["mount", .. options, Image, Root]);
        }

        _isMounted = true;
    }

    /// <summary>Has the kernel mount it, whatever else does.</summary>
    public void MountByKernel(string options = "loop")
    {
        OutsideProgram.Run("mount", "-o", options, Image, Root);
        _isMounted = true;
    }

    public void UnmountByKernel()
    {
        OutsideProgram.Run("umount", Root);
        _isMounted = false;
    }

    public void Unmount()
    {
        if (IsKernel)
        {
            OutsideProgram.Run("umount", Root);
        }
        else
        {
            PenstockProgram.Run("unmount", Root);
        }

        _isMounted = false;
    }

    public void Remount()
    {
        Unmount();
        Judge();
        Mount();
    }

    /// <summary>The process behind the mount is killed as it stands (kill -9). The dead mount stays: who takes it away uncovers the folder under it.</summary>
    public void Kill()
    {
        KillDaemon();
        while (Daemons().Any())
        {
            Thread.Yield();
        }
    }

    /// <summary>Takes a dead mount away. Nobody uses the root any more.</summary>
    public void TakeAway()
    {
        OutsideProgram.Run("umount", "-l", Root);
        _isMounted = false;
    }

    /// <summary>e2fsck finds nothing to fix.</summary>
    public void Judge() => Judge(Image);

    public static void Judge(string image)
    {
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, $"e2fsck -fn returned {code}:\n{(output.Length < 6000 ? output : output[..6000])}");
    }

    public void Dispose()
    {
        if (_isMounted)
        {
            // The test has failed: whatever state the mount is in, nothing of it stays.
            OutsideProgram.TryRun("umount", "-l", Root);
            KillDaemon();
        }

        _scratch.Dispose();
    }

    private void Make(string making, string size)
    {
        string[] words = making.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is ["ours", .. string[] options])
        {
            PenstockProgram.Run(["mkfs", .. options, Image, size]);
            Judge();
        }
        else
        {
            OutsideProgram.Run("truncate", "-s", size, Image);
            OutsideProgram.Run(words[0], ["-q", "-F", .. words[1..], Image]);
        }
    }

    /// <summary>What the process behind the mount left where it should have left nothing: null if all is well.</summary>
    private string? DescribeDaemon()
    {
        if (IsKernel || !_isMounted)
        {
            return null;
        }

        int[] daemons = [.. Daemons()];
        string logs = string.Concat(LogFiles().Select(f => $"{f}:\n{File.ReadAllText(f)}\n"));
        return $"[the process behind the mount: {(daemons.Length > 0 ? $"runs ({daemons[0]})" : "is gone")}] {logs}";
    }

    private static IEnumerable<string> LogFiles()
    {
        string[] folders = ["/run/penstock", $"/tmp/penstock-{Environment.GetEnvironmentVariable("UID") ?? "0"}"];
        return folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFiles(f, "*.log")).Where(f => new FileInfo(f).Length > 0);
    }

    private IEnumerable<int> Daemons()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && Serves(folder))
            {
                yield return id;
            }
        }
    }

    private bool Serves(string folder)
    {
        try
        {
            string line = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
            return line.Contains("mount ", StringComparison.Ordinal) && line.Contains(Root, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void KillDaemon()
    {
        foreach (int id in Daemons())
        {
            OutsideProgram.TryRun("kill", "-9", id.ToString(CultureInfo.InvariantCulture));
        }
    }
}
