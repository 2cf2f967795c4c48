namespace Penstock;

/// <summary>What a check ends with; the values are the program's exit codes, and e2fsck's.</summary>
public enum CheckVerdict
{
    /// <summary>Nothing is wrong; notes may have been made.</summary>
    Clean = 0,

    /// <summary>Something was wrong and is repaired.</summary>
    Repaired = 1,

    /// <summary>Something is wrong.</summary>
    ErrorsLeft = 4,

    /// <summary>The volume could not be checked.</summary>
    CouldNotRun = 8,
}

/// <summary>One thing that a check found.</summary>
/// <param name="Structure">The structure, in the format's own word: "inode", "directory block", "group descriptor".</param>
/// <param name="Place">Where it is: "inode 12", "inode 12, block 0, offset 60", "group 3".</param>
/// <param name="Description">What is wrong with it.</param>
/// <param name="IsNote">Whether it only deserves mention: the volume is consistent all the same.</param>
/// <param name="IsRepaired">Whether it was put right.</param>
public sealed record CheckProblem(string Structure, string Place, string Description, bool IsNote, bool IsRepaired)
{
    /// <summary>The problem on one line.</summary>
    public override string ToString() => $"{Structure} at {Place}: {Description}{(IsRepaired ? " (repaired)" : IsNote ? " (note)" : string.Empty)}";
}

/// <summary>What a check found.</summary>
public sealed record CheckReport
{
    /// <summary>The outcome.</summary>
    public required CheckVerdict Verdict { get; init; }

    /// <summary>The problems that were kept, in the order they were met.</summary>
    public required IReadOnlyList<CheckProblem> Problems { get; init; }

    /// <summary>How many problems there are, notes not counted.</summary>
    public required long ProblemCount { get; init; }

    /// <summary>How many problems were put right.</summary>
    public long RepairedCount { get; init; }

    /// <summary>How many problems and notes were found beyond those in <see cref="Problems"/>.</summary>
    public required long HeldBack { get; init; }

    /// <summary>Inodes in use, as counted.</summary>
    public ulong UsedInodes { get; init; }

    /// <summary>Directories, as counted.</summary>
    public ulong Directories { get; init; }

    /// <summary>Blocks in use, as counted.</summary>
    public ulong UsedBlocks { get; init; }

    /// <summary>All blocks of the volume.</summary>
    public ulong Blocks { get; init; }

    /// <summary>All inodes of the volume.</summary>
    public ulong Inodes { get; init; }
}
