using System.Diagnostics;
using Penstock.Simulation.Devices;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>e2fsck as a judge, and as what repairs a volume without a journal. One file of its own for each thread.</summary>
internal sealed class E2fsck : IDisposable
{
    /// <summary>Nothing found, or all of it repaired.</summary>
    public const int Repaired = 1;

    private static readonly string[] s_places = ["/usr/sbin/e2fsck", "/sbin/e2fsck", "/usr/bin/e2fsck"];

    private readonly string _program;
    private readonly string _path;

    private E2fsck(string program)
    {
        _program = program;
        string folder = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        _path = Path.Combine(folder, $"penstock-crash-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}.img");
    }

    /// <summary>Null where it is not installed.</summary>
    public static E2fsck? TryFind() => Array.Find(s_places, File.Exists) is { } program ? new E2fsck(program) : null;

    /// <summary>Puts a volume into the file.</summary>
    public void Load(ChunkMemory content, long length) => StateFile.Write(_path, content, length);

    /// <summary>Brings what is in the file back.</summary>
    public void Store(ChunkMemory content, long length) => StateFile.Read(_path, content, length);

    /// <summary>Runs it on the file.</summary>
    public (int ExitCode, string Output) Run(string options)
    {
        var start = new ProcessStartInfo(_program, [options, _path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    public void Dispose() => File.Delete(_path);
}
