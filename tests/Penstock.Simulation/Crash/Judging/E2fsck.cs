using Penstock.Simulation.Devices;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>e2fsck as a judge, and as what repairs a volume without a journal. One file of its own for each thread.</summary>
internal sealed class E2fsck : IDisposable
{
    /// <summary>Nothing found, or all of it repaired.</summary>
    public const int Repaired = 1;

    private readonly string _program;
    private readonly string _path;

    private E2fsck(string program)
    {
        _program = program;
        string folder = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        _path = Path.Combine(folder, $"penstock-crash-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}.img");
    }

    /// <summary>Null where it is not installed.</summary>
    public static E2fsck? TryFind() => E2fsckProgram.Path is { } program ? new E2fsck(program) : null;

    /// <summary>Puts a volume into the file.</summary>
    public void Load(ChunkMemory content, long length) => StateFile.Write(_path, content, length);

    /// <summary>Brings what is in the file back.</summary>
    public void Store(ChunkMemory content, long length) => StateFile.Read(_path, content, length);

    /// <summary>Runs it on the file.</summary>
    public (int ExitCode, string Output) Run(string options) => E2fsckProgram.Run(_program, options, _path);

    public void Dispose() => File.Delete(_path);
}
