namespace Penstock.Cli.Measuring;

/// <summary>What a measurement does.</summary>
internal sealed record BenchPlan
{
    public required BenchPattern Pattern { get; init; }

    /// <summary>The bytes of each request.</summary>
    public required int BlockSize { get; init; }

    /// <summary>The bytes of the file that are used; the file is made that long first.</summary>
    public required long Size { get; init; }

    /// <summary>The requests that each job keeps in flight.</summary>
    public required int Depth { get; init; }

    /// <summary>Jobs that run at once, on one file. In sequential patterns each has a part of the file.</summary>
    public required int Jobs { get; init; }

    public required bool IsDirect { get; init; }

    /// <summary>Each write is durable when it completes (O_DSYNC).</summary>
    public required bool IsDataSync { get; init; }

    /// <summary>Each request blocks a thread, in place of being awaited.</summary>
    public required bool IsBlocking { get; init; }

    /// <summary>The requests' memory is registered with the kernel.</summary>
    public required bool IsRegistered { get; init; }

    /// <summary>Each write is followed by a flush, and is over when that is.</summary>
    public required bool IsFlushing { get; init; }

    /// <summary>Each block is used once, without a warm-up, in place of a duration.</summary>
    public required bool IsOnce { get; init; }

    public required TimeSpan WarmUp { get; init; }

    public required TimeSpan Duration { get; init; }

    public long Blocks => Size / BlockSize;

    public IoOptions Options => (IsDirect ? IoOptions.Direct : IoOptions.None)
        | (IsDataSync ? IoOptions.DataSync : IoOptions.None)
        | (Pattern.Appends ? IoOptions.Append : IoOptions.None);
}
