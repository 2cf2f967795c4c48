namespace Penstock.Journal;

/// <summary>The number of a transaction, rising without a gap while a volume is open.</summary>
internal readonly record struct TransactionId(ulong Value) : IComparable<TransactionId>
{
    public TransactionId Next => new(Value + 1);

    public static bool operator <(TransactionId a, TransactionId b) => a.Value < b.Value;

    public static bool operator >(TransactionId a, TransactionId b) => a.Value > b.Value;

    public static bool operator <=(TransactionId a, TransactionId b) => a.Value <= b.Value;

    public static bool operator >=(TransactionId a, TransactionId b) => a.Value >= b.Value;

    public int CompareTo(TransactionId other) => Value.CompareTo(other.Value);

    public override string ToString() => $"transaction {Value}";
}
