using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>What the first pass found: which transactions are whole, and what of them cannot be trusted.</summary>
internal sealed class LogContents
{
    /// <summary>The first transaction of the log.</summary>
    public required LogSequence First { get; init; }

    /// <summary>The first that is not to be replayed: the one the log ends with was not committed.</summary>
    public LogSequence End { get; set; }

    /// <summary>The block of the journal that comes behind the last transaction to be replayed.</summary>
    public required uint EndBlock { get; set; }

    /// <summary>How many transactions are to be replayed.</summary>
    public uint TransactionCount => unchecked(End.Value - First.Value);

    /// <summary>Copies of blocks in them.</summary>
    public long CopyCount { get; set; }

    /// <summary>Numbers of blocks that they revoke.</summary>
    public long RevokeCount { get; set; }

    /// <summary>Blocks of the journal that are not what their tag tells of. They are not replayed.</summary>
    public HashSet<uint> BadCopies { get; } = [];

    /// <summary>
    /// What is wrong with a transaction that was committed, which no loss of power explains; null if nothing is. What came before it can be
    /// replayed all the same.
    /// </summary>
    public CorruptVolumeException? Damage { get; set; }
}
