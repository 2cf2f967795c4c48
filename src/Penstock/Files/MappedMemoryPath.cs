using Penstock.Caching;
using Penstock.Devices.Host;
using Penstock.DirectIO;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// Requests with memory that may be mapped from a file, of our own mount even. Whoever touches such memory waits for each page that is not there, and that page is brought by
/// this very process: so such a request goes through memory of our own, and the user's is touched in a user place only, with no lock held, outside managed code.
/// </summary>
internal static class MappedMemoryPath
{
    /// <summary>What a direct or an appending request copies at once; more than this is more than one episode (Rule 1.22).</summary>
    private const int MaxEpisode = 1 << 30;

    /// <summary>Whether a request goes this way. A direct one that is misaligned does not: it is refused for what it is (Rule 2.22).</summary>
    public static bool Takes(Inode inode, SegmentList memory, long offset, IoOptions options) => memory.MayBeMapped
        && ((options & IoOptions.Direct) == 0 || Alignment.Suits(inode.FileSystem.Device, memory, (options & IoOptions.Append) != 0 ? 0 : offset));

    public static async ValueTask<IoResult> ReadAsync(Inode inode, SegmentList memory, long offset, IoOptions options, ReadaheadState readahead)
    {
        long done = 0;
        while (done < memory.Length)
        {
            int piece = (int)Math.Min(memory.Length - done, MaxPiece(options));
            using StagingMemory staging = StagingMemory.Take(piece);
            IoResult result = (options & IoOptions.Direct) != 0
                ? await DirectPath.ReadAsync(inode, staging.List!, offset + done, readahead).ConfigureAwait(false)
                : await BufferedPath.ReadAsync(inode, staging.List!, 0, offset + done, piece, readahead).ConfigureAwait(false);
            if (result.Bytes > 0)
            {
                await inode.FileSystem.Scheduler.SwitchToUserPlace();
                Move(memory, done, staging, (int)result.Bytes, isRead: true);
            }

            done += result.Bytes;
            if (result.IsFailed || result.Bytes < piece)
            {
                return new IoResult(done, result.Fault);
            }
        }

        return IoResult.Transferred(done);
    }

    public static async ValueTask<IoResult> WriteAsync(Inode inode, SegmentList memory, long offset, IoOptions options, ErrorCursor cursor)
    {
        long done = 0;
        while (done < memory.Length)
        {
            await inode.FileSystem.Scheduler.SwitchToUserPlace();
            int piece = (int)Math.Min(memory.Length - done, MaxPiece(options));
            using StagingMemory staging = StagingMemory.Take(piece);
            Move(memory, done, staging, piece, isRead: false);
            IoResult result = (options & IoOptions.Direct) != 0
                ? await DirectWritePath.WriteAsync(inode, staging.List!, offset + done, options, cursor).ConfigureAwait(false)
                : await BufferedWritePath.WriteAsync(inode, staging.List!, offset + done, options, cursor).ConfigureAwait(false);
            done += result.Bytes;
            if (result.IsFailed || result.Bytes < piece)
            {
                return new IoResult(done, result.Fault);
            }
        }

        return IoResult.Transferred(done);
    }

    private static int MaxPiece(IoOptions options) => (options & (IoOptions.Direct | IoOptions.Append)) != 0 ? MaxEpisode : StagingMemory.MaxLength;

    /// <summary>Copies between a part of the user's memory and memory of our own.</summary>
    private static void Move(SegmentList memory, long start, StagingMemory staging, int length, bool isRead)
    {
        nint ours = staging.List!.Segments[0].Address;
        var cursor = new SegmentCursor(memory, start);
        while (length > 0)
        {
            IoSegment users = cursor.Next(length);
            ForeignMemory.Copy(isRead ? users.Address : ours, isRead ? ours : users.Address, users.Length);
            ours += users.Length;
            length -= users.Length;
        }
    }
}
