using Penstock.Files;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Running;

namespace Penstock.Simulation.Threads;

/// <summary>
/// A file of a run with real threads: the open files on it, and the judge beside it, which is told of every operation before it begins and after it has ended. So the
/// moments it knows hold the real ones between them: what it accepts is every order that real time allows.
/// </summary>
internal sealed class RaceFile
{
    private readonly object _latch = new();
    private readonly FileJudge _judge;
    private int _hasDirectWrites;

    public RaceFile(int number, Inode inode)
    {
        Number = number;
        Inode = inode;
        _judge = new FileJudge(number, () => Inode.Size);
        Reopen(inode);
    }

    public int Number { get; }

    public Inode Inode { get; private set; }

    public OpenFile[] Handles { get; } = new OpenFile[SimulatedFile.HandleCount];

    /// <summary>Open files for calls that block and take no options: buffered and direct.</summary>
    public OpenFile[] BlockingHandles { get; } = new OpenFile[2];

    public bool HasDirectWrites
    {
        get => Volatile.Read(ref _hasDirectWrites) != 0;
        set => Volatile.Write(ref _hasDirectWrites, value ? 1 : 0);
    }

    /// <summary>The file of the volume as it is open now.</summary>
    public void Reopen(Inode inode)
    {
        Inode = inode;
        for (int i = 0; i < SimulatedFile.HandleCount; i++)
        {
            Handles[i] = new OpenFile(inode, FileAccess.ReadWrite, IoOptions.None);
        }

        BlockingHandles[0] = new OpenFile(inode, FileAccess.ReadWrite, IoOptions.None);
        BlockingHandles[1] = new OpenFile(inode, FileAccess.ReadWrite, IoOptions.Direct);
    }

    /// <summary>Tells or asks the judge, one at a time.</summary>
    public T Tell<T>(Func<FileJudge, T> what)
    {
        lock (_latch)
        {
            return what(_judge);
        }
    }

    /// <summary>Judges what was read.</summary>
    public string? EndRead(ReadTicket ticket, ReadOnlySpan<byte> bytes, bool hasFailed)
    {
        lock (_latch)
        {
            return _judge.EndRead(ticket, bytes, hasFailed);
        }
    }
}
