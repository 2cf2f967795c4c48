using Penstock.Files;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Running;

/// <summary>A file of a run: its inode, the open files on it, and the judge beside it.</summary>
internal sealed class SimulatedFile
{
    public const int HandleCount = 2;

    public SimulatedFile(int number, Inode inode, bool mayLosePower)
    {
        Number = number;
        Inode = inode;
        Judge = new FileJudge(number, () => Inode.Size, mayLosePower);
        Reopen(inode);
    }

    public int Number { get; }

    public Inode Inode { get; private set; }

    public FileJudge Judge { get; }

    public OpenFile[] Handles { get; } = new OpenFile[HandleCount];

    /// <summary>How many direct requests the users have in flight.</summary>
    public int DirectInFlight { get; set; }

    /// <summary>Whether any direct write was begun: a page that could not be dropped after it is told by the next sync (Rule 2.6).</summary>
    public bool HasDirectWrites { get; set; }

    /// <summary>The file of the volume as it is open now.</summary>
    public void Reopen(Inode inode)
    {
        Inode = inode;
        for (int i = 0; i < HandleCount; i++)
        {
            Handles[i] = new OpenFile(inode, FileAccess.ReadWrite, IoOptions.None);
        }
    }

    /// <summary>Which errors of writeback each open file's sync has told of.</summary>
    public ErrorLedger Errors { get; } = new();
}
