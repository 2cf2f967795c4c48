using Penstock.Caching;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>Copies a range of one file to another, or within one (copy_file_range), through the page cache and without the caller's memory.</summary>
internal static class CopyPath
{
    /// <summary>Copies at most <paramref name="length"/> bytes: fewer at the end of the source, or before a fault.</summary>
    /// <exception cref="FileSystemException">InvalidArgument where both ranges overlap in one file; CrossesVolumes.</exception>
    public static async ValueTask<IoResult> CopyAsync(Inode source, long from, Inode target, long to, long length, bool keepsSetId = false)
    {
        if (source.FileSystem != target.FileSystem)
        {
            throw new FileSystemException(IoFault.CrossesVolumes, $"{source} and {target} are on different volumes");
        }

        length = Math.Min(length, Math.Max(0, source.Size - from));
        if (source == target && from < to + length && to < from + length)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{source}: the ranges overlap");
        }

        FileChecks.MayChange(target);
        using var buffer = new AlignedBuffer((int)Math.Min(length, StagingMemory.MaxLength));
        using SegmentList memory = SegmentList.Rent([buffer.Segment], isOurs: true);
        var readahead = new ReadaheadState();
        long done = 0;
        while (done < length)
        {
            long piece = Math.Min(length - done, buffer.Length);
            IoResult read = await BufferedPath.ReadAsync(source, memory, 0, from + done, piece, readahead).ConfigureAwait(false);
            if (read.Bytes == 0)
            {
                return new IoResult(done, read.Fault);
            }

            IoResult written = await BufferedWritePath.WritePartAsync(target, memory, 0, to + done, read.Bytes, keepsSetId).ConfigureAwait(false);
            done += written.Bytes;
            if (written.IsFailed || read.IsFailed || written.Bytes < read.Bytes)
            {
                return new IoResult(done, written.IsFailed ? written.Fault : read.Fault);
            }
        }

        return IoResult.Transferred(done);
    }
}
