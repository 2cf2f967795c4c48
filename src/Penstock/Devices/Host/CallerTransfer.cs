using Penstock.Devices.Rings;
using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>A transfer by the thread of a user who would do nothing but wait for it: a system call, and no change of thread.</summary>
internal static unsafe class CallerTransfer
{
    /// <summary>The segments that one system call takes.</summary>
    private const int MaxVectors = 64;

    /// <summary>Reads or writes all of the request, unless a fault stops it. Blocks the calling thread.</summary>
    /// <param name="file">The file, opened for direct I/O.</param>
    /// <param name="request">A transfer.</param>
    /// <param name="logicalBlockSize">The unit of offsets, in bytes.</param>
    public static IoResult Run(HostFile file, DeviceRequest request, int logicalBlockSize)
    {
        Span<IoVector> vectors = stackalloc IoVector[MaxVectors];
        long done = 0;
        while (done < request.Length)
        {
            int count = Fill(vectors, request.Segments, done, out long expected);
            CallResult result = request.Operation == DeviceOperation.Read
                ? file.Read(vectors[..count], request.Offset + done)
                : file.Write(vectors[..count], request.Offset + done, TransferStep.FlagsOf(request));
            if (result.Error == Errno.EAGAIN)
            {
                continue;
            }

            if (result.IsError)
            {
                return new IoResult(done, result.Error.ToFault());
            }

            // A step that ended within a block is repeated from the block's start: the device takes no other offset.
            long whole = result.Value == expected ? done + expected : (done + result.Value) & ~(logicalBlockSize - 1L);
            if (whole <= done)
            {
                return new IoResult(done + result.Value, IoFault.DeviceFailed);
            }

            done = whole;
        }

        return IoResult.Transferred(done);
    }

    /// <summary>What is left after <paramref name="skipped"/> bytes, as far as the vectors reach.</summary>
    private static int Fill(Span<IoVector> vectors, ReadOnlySpan<IoSegment> segments, long skipped, out long length)
    {
        int count = 0;
        length = 0;
        foreach (IoSegment segment in segments)
        {
            int skip = (int)Math.Min(skipped, segment.Length);
            skipped -= skip;
            if (skip < segment.Length && count < vectors.Length)
            {
                vectors[count++] = new IoVector(segment.Address + skip, segment.Length - skip);
                length += segment.Length - skip;
            }
        }

        return count;
    }
}
