namespace Penstock.Cli.Measuring;

/// <summary>Where the lanes of one job are in a sequential pattern: round and round in their part of the file.</summary>
/// <param name="start">Where the part begins, in bytes.</param>
/// <param name="blocks">Its length in blocks, at least one.</param>
/// <param name="blockSize">The bytes of a block.</param>
internal sealed class LaneCursor(long start, long blocks, int blockSize)
{
    private long _taken;

    public long Next() => start + ((Interlocked.Increment(ref _taken) - 1) % blocks * blockSize);
}
