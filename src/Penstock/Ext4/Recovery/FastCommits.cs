using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Journal.Recovery;

namespace Penstock.Ext4.Recovery;

/// <summary>The fast commits behind a log.</summary>
/// <param name="Tags">Their pieces, in order.</param>
/// <param name="Count">How many there are.</param>
internal sealed record FastCommits(IReadOnlyList<FastCommitTag> Tags, int Count)
{
    public static FastCommits None { get; } = new([], 0);

    /// <summary>Why they, or the log before them, cannot be replayed; null if they can.</summary>
    public string? Problem { get; init; }

    public bool IsEmpty => Count == 0;

    /// <summary>Reads them.</summary>
    /// <exception cref="DeviceException">The journal could not be read.</exception>
    public static async ValueTask<FastCommits> ReadAsync(LogArea area, LogRecovery recovery, Superblock superblock)
    {
        try
        {
            FastCommits found = await FastCommitScan.ReadAsync(area, recovery.Reader, superblock.InodeSize, recovery.Contents.End).ConfigureAwait(false);
            bool isBegun = !found.IsEmpty && (superblock.State & VolumeStates.FastCommitReplay) != 0;
            return isBegun ? found with { Problem = "somebody began to replay its fast commits and was cut off; run e2fsck" } : found;
        }
        catch (UnsupportedFeatureException e)
        {
            return None with { Problem = $"its journal cannot be used: {e.Message}" };
        }
    }
}
