using Penstock.Caching;
using Penstock.Files;
using Penstock.Memory;
using Xunit;

namespace Penstock.Testing.Files;

/// <summary>Buffered reads and writes of an inode with their locks, below the open file.</summary>
internal static class BufferedAccess
{
    public static byte[] Pattern(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        for (int i = 0; i < length; i++)
        {
            // Neither zero nor poison: those are what a wrong read shows.
            bytes[i] = (byte)(1 + (bytes[i] % 0xD0));
        }

        return bytes;
    }

    /// <summary>A buffered write under the inode lock, gap and all, as an open file does it.</summary>
    public static async Task<IoResult> WriteAsync(Inode inode, byte[] content, long offset)
    {
        using var buffer = new AlignedBuffer(content.Length);
        content.CopyTo(buffer.GetSpan());
        using SegmentList data = SegmentList.Rent([buffer.Segment], isOurs: true);
        await inode.Lock.AcquireExclusiveAsync();
        try
        {
            if (offset > inode.Size)
            {
                await BufferedPath.ZeroGapAsync(inode, inode.Size, offset);
            }

            return await BufferedPath.WriteAsync(inode, data, 0, offset, content.Length);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    public static async Task<byte[]> ReadAsync(Inode inode, long offset, int length, ReadaheadState? readahead = null)
    {
        (byte[] bytes, IoResult result) = await TryReadAsync(inode, offset, length, readahead);
        Assert.Equal(IoFault.None, result.Fault);
        return bytes;
    }

    public static async Task<(byte[] Bytes, IoResult Result)> TryReadAsync(
        Inode inode, long offset, int length, ReadaheadState? readahead = null)
    {
        var bytes = new byte[length];
        using SegmentList memory = SegmentList.Rent(bytes.AsMemory());
        IoResult result = await BufferedPath.ReadAsync(inode, memory, 0, offset, length, readahead ?? new ReadaheadState());
        return (bytes[..(int)result.Bytes], result);
    }
}
