namespace Penstock;

/// <summary>How a volume is checked.</summary>
public sealed record CheckOptions
{
    /// <summary>The defaults: read only, not one byte is written.</summary>
    public static CheckOptions Default { get; } = new();

    /// <summary>How many problems are kept one by one; those beyond are only counted.</summary>
    public int MaxProblems { get; init; } = 1000;

    /// <summary>Activities that check at the same time; 0 for one for each processor, at most four.</summary>
    public int Parallelism { get; init; }

    /// <summary>
    /// For a repair: a new file that takes what the repair overwrites, so that <see cref="VolumeCheck.UndoAsync"/> can put it back; null for none.
    /// It must not lie on the volume itself. It is made only if there is something to write.
    /// </summary>
    public string? UndoFile { get; init; }

    /// <summary>
    /// The device or image with the volume's journal, if that is not on the volume itself; null if there is none, or it is not at hand, which a check counts as a problem.
    /// A repair replays what waits in it first, in place: that is not undone by the undo file.
    /// </summary>
    public string? JournalDevice { get; init; }

    internal Execution.Scheduler Scheduler { get; init; } = Execution.Scheduler.Default;
}
