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

    internal Execution.Scheduler Scheduler { get; init; } = Execution.Scheduler.Default;
}
