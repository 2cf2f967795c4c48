namespace Penstock.Journal.Format;

/// <summary>The number of a transaction in the log (h_sequence). It wraps, so that two of them compare by their distance.</summary>
internal readonly record struct LogSequence(uint Value)
{
    public LogSequence Next => new(unchecked(Value + 1));

    public LogSequence Previous => new(unchecked(Value - 1));

    /// <summary>Whether this one is older: less than 2^31 transactions lie between the two.</summary>
    public bool IsBefore(LogSequence other) => unchecked((int)(Value - other.Value)) < 0;

    public override string ToString() => $"transaction {Value}";
}
