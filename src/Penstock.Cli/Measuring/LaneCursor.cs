namespace Penstock.Cli.Measuring;

/// <summary>Where the lanes of one job are in a sequential pattern: in their part of the file, once or round and round.</summary>
/// <param name="start">Where the part begins, in bytes.</param>
/// <param name="blocks">Its length in blocks, at least one.</param>
/// <param name="blockSize">The bytes of a block.</param>
/// <param name="isOnce">Whether it ends after the last block.</param>
internal sealed class LaneCursor(long start, long blocks, int blockSize, bool isOnce)
{
    private long _taken;

    public bool TryNext(out long offset)
    {
        long taken = Interlocked.Increment(ref _taken) - 1;
        offset = start + (taken % blocks * blockSize);
        return !isOnce || taken < blocks;
    }
}
