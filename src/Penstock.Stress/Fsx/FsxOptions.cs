namespace Penstock.Stress.Fsx;

/// <summary>What a run is to be like.</summary>
internal sealed record FsxOptions
{
    /// <summary>The most files that one thread works on.</summary>
    public const int MaxFiles = 64;

    /// <summary>The most transfers in flight of one thread.</summary>
    public const int MaxDepth = 256;

    /// <summary>The longest file, in bytes: what it must hold is in memory.</summary>
    public const long MostLength = 1 << 30;

    /// <summary>The longest transfer, in bytes.</summary>
    public const int MostTransfer = 64 << 20;

    /// <summary>How many operations, of all threads together.</summary>
    public long Operations { get; init; } = 20_000;

    /// <summary>When to stop, finished or not; null: when finished.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>Where all choices come from.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>How long a file may become, in bytes.</summary>
    public long MaxLength { get; init; } = 256 << 10;

    /// <summary>How much one operation may transfer, in bytes.</summary>
    public int MaxTransfer { get; init; } = 64 << 10;

    /// <summary>What every offset and length is a multiple of.</summary>
    public int Alignment { get; init; } = 1;

    /// <summary>The alignment of direct I/O; 0: what the target says.</summary>
    public int DirectAlignment { get; init; }

    /// <summary>How many files each thread works on.</summary>
    public int Files { get; init; } = 1;

    /// <summary>How many threads, each with files of its own.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The most transfers in flight.</summary>
    public int Depth { get; init; } = 8;

    /// <summary>Whether direct and buffered transfers may be in flight together, on different pages.</summary>
    public bool MixesModes { get; init; }

    /// <summary>After how many operations all bytes of all files are compared.</summary>
    public int CheckInterval { get; init; } = 1_000;

    /// <summary>After how many operations of a thread its files begin anew: a log is never longer.</summary>
    public int EpochLength { get; init; } = 50_000;

    /// <summary>How often each kind is chosen, against the others.</summary>
    public IReadOnlyDictionary<string, int> Weights { get; init; } = new Dictionary<string, int>();

    /// <summary>Kinds and modes that are left out.</summary>
    public IReadOnlySet<string> Skipped { get; init; } = new HashSet<string>();

    /// <summary>How long shrinking may take.</summary>
    public TimeSpan ShrinkTime { get; init; } = TimeSpan.FromSeconds(30);
}
