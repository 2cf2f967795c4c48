namespace Penstock.Simulation.Crash.Model;

/// <summary>What changes content.</summary>
internal enum ContentChange
{
    /// <summary>Bytes of a write.</summary>
    Write,

    /// <summary>The size is set; what is cut off is gone.</summary>
    Resize,

    /// <summary>Bytes become zeros, the size stays: a punched hole, or the gap before a write.</summary>
    Zero,
}

/// <summary>One change of a file's content, not yet part of what is durable.</summary>
internal sealed class ContentOperation(ContentChange change, int write, long offset, long length)
{
    public ContentChange Change { get; } = change;

    /// <summary>Which write the bytes are of.</summary>
    public int Write { get; } = write;

    public long Offset { get; } = offset;

    public long Length { get; set; } = length;

    public long End => Offset + Length;

    /// <summary>What becomes zeros between the end of the file and a write beyond it.</summary>
    public ContentOperation? Gap { get; init; }

    /// <summary>Whether it goes to the device before what earlier writes have left in the cache.</summary>
    public bool IsAhead { get; init; }

    /// <summary>Whether the call has returned.</summary>
    public bool HasEnded { get; set; }

    /// <summary>When the call began, and when it had returned, by a count of both.</summary>
    public long Began { get; init; }

    /// <inheritdoc cref="Began"/>
    public long Ended { get; set; } = long.MaxValue;

    /// <summary>Whether it failed.</summary>
    public bool HasFailed { get; set; }

    /// <summary>Whether it was acknowledged as durable.</summary>
    public bool IsDurable { get; set; }

    /// <summary>Whether bytes of a range may have come from it.</summary>
    public bool Touches(long start, long end) => Change == ContentChange.Resize ? end > Offset : Offset < end && End > start;
}
