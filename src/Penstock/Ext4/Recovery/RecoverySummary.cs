using System.Globalization;

namespace Penstock.Ext4.Recovery;

/// <summary>What was found in the journal as a volume was opened.</summary>
/// <param name="TransactionCount">Committed transactions that had to be replayed.</param>
/// <param name="BlockCount">Blocks of which they held the newest copy.</param>
/// <param name="RevokedCount">Copies that had been revoked.</param>
/// <param name="IsOverlaid">Whether the copies are read from the journal, the volume being as it was; otherwise they are in their places.</param>
internal sealed record RecoverySummary(uint TransactionCount, long BlockCount, long RevokedCount, bool IsOverlaid)
{
    /// <summary>Whole fast commits behind them, which were applied.</summary>
    public int FastCommitCount { get; init; }

    public override string ToString()
    {
        string done = IsOverlaid ? "are read from the journal, which was not replayed" : "were replayed from the journal";
        string fast = FastCommitCount == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" and {FastCommitCount} fast commits");
        return string.Create(CultureInfo.InvariantCulture, $"{TransactionCount} transactions with {BlockCount} blocks{fast} {done}");
    }
}
