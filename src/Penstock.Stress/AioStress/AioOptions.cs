namespace Penstock.Stress.AioStress;

/// <summary>The classic stages, in their order.</summary>
internal enum AioStage
{
    /// <summary>Every block in turn is written.</summary>
    Write,

    /// <summary>Every block in turn is read.</summary>
    Read,

    /// <summary>Every block is written, in an order drawn from the seed.</summary>
    RandomWrite,

    /// <summary>Every block is read, in another such order.</summary>
    RandomRead,
}

/// <summary>What a run is to be like.</summary>
internal sealed record AioOptions
{
    /// <summary>The length of each file in bytes.</summary>
    public long Size { get; init; } = 64 << 20;

    /// <summary>How many files.</summary>
    public int Files { get; init; } = 1;

    /// <summary>How many threads; the files are dealt out among them.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The most requests of one thread in flight.</summary>
    public int Depth { get; init; } = 64;

    /// <summary>How many requests are submitted together.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>The length of a request in bytes.</summary>
    public int RequestSize { get; init; } = 64 << 10;

    /// <summary>Whether requests go past the cache.</summary>
    public bool IsDirect { get; init; } = true;

    /// <summary>Whether each write is durable when it completes (O_DSYNC).</summary>
    public bool IsSync { get; init; }

    /// <summary>Whether all threads share one context (ring); otherwise each has its own.</summary>
    public bool SharesContext { get; init; }

    /// <summary>Whether every block that is read is compared with what was written last.</summary>
    public bool Verifies { get; init; } = true;

    /// <summary>Where the random orders come from.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The stages.</summary>
    public IReadOnlyList<AioStage> Stages { get; init; } = Enum.GetValues<AioStage>();
}

/// <summary>The words for stages.</summary>
internal static class AioStages
{
    public static string ToWord(this AioStage stage) => stage switch
    {
        AioStage.RandomWrite => "random-write",
        AioStage.RandomRead => "random-read",
        _ => stage.ToString().ToLowerInvariant(),
    };

    public static bool IsWrite(this AioStage stage) => stage is AioStage.Write or AioStage.RandomWrite;

    public static bool IsRandom(this AioStage stage) => stage is AioStage.RandomWrite or AioStage.RandomRead;
}
