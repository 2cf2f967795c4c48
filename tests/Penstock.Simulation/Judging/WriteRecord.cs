namespace Penstock.Simulation.Judging;

/// <summary>One write to a file, as the judge knows it: of tagged bytes, or of zeros (truncate, punch, and the state before all writes).</summary>
internal sealed class WriteRecord
{
    public const long Never = long.MaxValue;

    /// <summary>What every byte of a new file is.</summary>
    public static WriteRecord FirstZeros { get; } = new() { IsZero = true, Begun = -1, Ended = -1 };

    public long Number { get; init; }

    public bool IsZero { get; init; }

    /// <summary>Where its bytes come from, if it is a copy of a range.</summary>
    public CopySource? Copy { get; init; }

    /// <summary>Whether it goes to the end of the file, wherever that is.</summary>
    public bool IsAppend { get; init; }

    /// <summary>How many bytes it was to write.</summary>
    public long Length { get; init; }

    /// <summary>Where it goes; -1 for an append whose place nobody has seen yet.</summary>
    public long Offset { get; set; }

    /// <summary>The moment of its submission.</summary>
    public long Begun { get; init; }

    /// <summary>The moment of its completion, however it ended.</summary>
    public long Ended { get; set; } = Never;

    /// <summary>How many of its bytes are certain: those it said it transferred.</summary>
    public long Certain { get; set; }

    /// <summary>The file's smallest possible size as it began.</summary>
    public long SizeAtBegin { get; init; }

    /// <summary>The moment from which on it survives a loss of power; or never.</summary>
    public long Durable { get; set; } = Never;

    public bool IsInFlight => Ended == Never;

    public override string ToString() => IsZero ? Begun < 0 ? "the first zeros" : "zeros" : Copy is null ? $"write #{Number}" : $"copy #{Number}";
}

/// <summary>One write as it may be found in a stretch of the file.</summary>
/// <param name="Write">The write.</param>
/// <param name="Base">Where in the file its first byte stands.</param>
/// <param name="IsCertain">Whether its bytes are there for certain, so that they hide what came before.</param>
/// <param name="Shift">The collapse or insert that may have brought it here: it is here since then; or null.</param>
internal readonly record struct Entry(WriteRecord Write, long Base, bool IsCertain, WriteRecord? Shift = null)
{
    /// <summary>The moment from which on it may be here.</summary>
    public long Begun => Shift is null ? Write.Begun : Math.Max(Write.Begun, Shift.Begun);

    /// <summary>Whether a loss of power leaves it here.</summary>
    public bool IsDurable => Write.Durable != WriteRecord.Never && (Shift is null || Shift.Durable != WriteRecord.Never);

    /// <summary>The moment from which on it is here, if it is.</summary>
    public long Ended => Shift is null ? Write.Ended : Math.Max(Write.Ended, Shift.Ended);
}
