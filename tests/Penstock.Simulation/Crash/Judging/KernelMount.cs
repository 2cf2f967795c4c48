using System.Diagnostics;
using Penstock.Simulation.Devices;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>The kernel's ext4 as a judge: it recovers a state as it mounts it, in a namespace of mounts of its own, and copies what it finds. One for each thread.</summary>
internal sealed class KernelMount : IDisposable
{
    private const string Script = """mount -t ext4 -o loop "$0" "$1" && cp -R -P "$1"/. "$2"/ """;

    private readonly string _root;
    private readonly string _image;
    private readonly string _mount;

    private KernelMount(string root)
    {
        _root = root;
        _image = Path.Combine(root, "volume");
        _mount = Directory.CreateDirectory(Path.Combine(root, "mount")).FullName;
    }

    /// <summary>Null where nobody may mount.</summary>
    public static KernelMount? TryMake()
    {
        if (Environment.UserName != "root" || !Directory.Exists("/dev/shm") || !File.Exists("/dev/loop-control"))
        {
            return null;
        }

        return new KernelMount(Directory.CreateTempSubdirectory("penstock-crash-").FullName);
    }

    public void Load(ChunkMemory content, long length) => StateFile.Write(_image, content, length);

    /// <summary>Mounts what was loaded, and reads all of it; null, and why, if the kernel does not mount it.</summary>
    public FoundTree? Read(out string error)
    {
        string copy = Directory.CreateDirectory(Path.Combine(_root, "copy")).FullName;
        try
        {
            var start = new ProcessStartInfo("unshare", ["-m", "sh", "-c", Script, _image, _mount, copy]) { RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? FoundTree.ReadFolder(copy) : null;
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
