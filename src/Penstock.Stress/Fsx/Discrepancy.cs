namespace Penstock.Stress.Fsx;

/// <summary>What was not as it must be.</summary>
/// <param name="Operation">The operation that showed it; null for the comparison of whole files between operations.</param>
/// <param name="Position">How many operations had been run, this one included.</param>
/// <param name="File">Which file.</param>
/// <param name="What">What is wrong, in a sentence without a full stop.</param>
internal sealed record Discrepancy(FsxOperation? Operation, int Position, int File, string What)
{
    /// <summary>Where the first wrong byte is, in bytes; -1 where no byte is wrong.</summary>
    public long Offset { get; init; } = -1;

    /// <summary>How many bytes are wrong.</summary>
    public long Count { get; init; }

    /// <summary>Where <see cref="Expected"/> and <see cref="Found"/> begin in the file; a multiple of 16.</summary>
    public long ExcerptOffset { get; init; }

    /// <summary>The bytes around the first wrong one as they must be.</summary>
    public byte[] Expected { get; init; } = [];

    /// <summary>The same bytes as they are.</summary>
    public byte[] Found { get; init; } = [];

    /// <summary>The tags of the run, to tell whose bytes these are.</summary>
    public ContentTag Tag { get; init; }
}

/// <summary>The run cannot go on: the target is full, gone, or fails. Nothing was found wrong with it.</summary>
internal sealed class TargetFailedException(IoFault fault, string message) : FileSystemException(fault, message);
