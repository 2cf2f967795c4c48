using Penstock.Files;

namespace Penstock;

/// <content>Ranges of an open file: allocation, holes, extents, copies.</content>
public sealed partial class OpenFile
{
    private const int ExtentsAtOnce = 256;

    /// <summary>Allocates, frees, zeroes, removes or inserts a range (fallocate). Waits for direct I/O in flight where blocks go or move.</summary>
    /// <param name="change">What to do.</param>
    /// <param name="offset">Where the range begins, in bytes.</param>
    /// <param name="length">Its length in bytes, above 0.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="FileSystemException">NotSupported where the file's format cannot do it, InvalidArgument for a range that is no multiple of a block
    /// (collapse, insert) or empty, NoSpace, FileTooLarge, DeviceFailed.</exception>
    public ValueTask ChangeRangeAsync(FileRangeChange change, long offset, long length, CancellationToken cancellationToken = default) =>
        Refuse(CanWrite, offset, cancellationToken) is { } refused
            ? ValueTask.FromException(refused)
            : UserOperation<bool>.CarryWithoutResult(RunChangeAsync(change, offset, length), Scheduler, ContinuesInline(Options));

    /// <summary>The first offset from <paramref name="offset"/> on that holds data, or null where nothing but a hole follows (SEEK_DATA).</summary>
    /// <param name="offset">Where to begin, in bytes.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="FileSystemException">DeviceFailed, Corrupt.</exception>
    public ValueTask<long?> FindDataAsync(long offset, CancellationToken cancellationToken = default) =>
        Refuse(isAllowed: true, offset, cancellationToken) is { } refused
            ? ValueTask.FromException<long?>(refused)
            : UserOperation<long?>.Carry(FindAsync(offset, ExtentPath.SeekDataAsync), Scheduler, ContinuesInline(Options));

    /// <summary>
    /// The first offset from <paramref name="offset"/> on that holds none, or null where the offset is not inside the file (SEEK_HOLE). The end of
    /// the file counts as a hole.
    /// </summary>
    /// <inheritdoc cref="FindDataAsync"/>
    public ValueTask<long?> FindHoleAsync(long offset, CancellationToken cancellationToken = default) =>
        Refuse(isAllowed: true, offset, cancellationToken) is { } refused
            ? ValueTask.FromException<long?>(refused)
            : UserOperation<long?>.Carry(FindAsync(offset, ExtentPath.SeekHoleAsync), Scheduler, ContinuesInline(Options));

    /// <summary>The pieces of the file that are no holes, in order (FIEMAP). Others may change the file meanwhile; each batch is true at its moment.</summary>
    /// <param name="offset">Where to begin, in bytes.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    /// <exception cref="FileSystemException">DeviceFailed, Corrupt.</exception>
    public async IAsyncEnumerable<FileExtent> EnumerateExtentsAsync(
        long offset = 0, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        IReadOnlyList<FileExtent> batch;
        do
        {
            if (Refuse(isAllowed: true, offset, cancellationToken) is { } refused)
            {
                throw refused;
            }

            batch = await UserOperation<IReadOnlyList<FileExtent>>.Carry(
                ExtentPath.MapAsync(Inode, offset, long.MaxValue - offset, ExtentsAtOnce), Scheduler).ConfigureAwait(false);
            foreach (FileExtent extent in batch)
            {
                yield return extent;
                offset = extent.Offset + extent.Length;
            }
        }
        while (batch.Count > 0 && (batch[^1].Flags & FileExtentFlags.Last) == 0);
    }

    /// <summary>Copies a range to another file of the volume, or within this one, without the caller's memory (copy_file_range).</summary>
    /// <param name="offset">Where in this file to begin, in bytes.</param>
    /// <param name="target">The file to copy to, open for writing.</param>
    /// <param name="targetOffset">Where in it to begin, in bytes.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <returns>The bytes copied: fewer at the end of this file, or before an error.</returns>
    /// <exception cref="FileSystemException">InvalidArgument where both ranges overlap in one file, CrossesVolumes, BadHandle, NoSpace, DeviceFailed.</exception>
    public ValueTask<long> CopyRangeAsync(
        long offset, OpenFile target, long targetOffset, long length, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return (Refuse(CanRead, offset, cancellationToken) ?? target.Refuse(target.CanWrite, targetOffset, cancellationToken)) is { } refused
            ? ValueTask.FromException<long>(refused)
            : UserOperation<long>.Carry(RunCopyAsync(offset, target, targetOffset, length), Scheduler, ContinuesInline(Options));
    }

    private static async ValueTask<bool> AsResultAsync(ValueTask change)
    {
        await change.ConfigureAwait(false);
        return true;
    }

    private ValueTask<bool> RunChangeAsync(FileRangeChange change, long offset, long length) => AsResultAsync(change switch
    {
        FileRangeChange.Allocate => FallocatePath.AllocateAsync(Inode, offset, length, keepsSize: false),
        FileRangeChange.AllocateKeepingSize => FallocatePath.AllocateAsync(Inode, offset, length, keepsSize: true),
        FileRangeChange.PunchHole => FallocatePath.PunchAsync(Inode, offset, length),
        FileRangeChange.Zero => FallocatePath.ZeroRangeAsync(Inode, offset, length, keepsSize: false),
        FileRangeChange.ZeroKeepingSize => FallocatePath.ZeroRangeAsync(Inode, offset, length, keepsSize: true),
        FileRangeChange.Collapse => FallocatePath.CollapseAsync(Inode, offset, length),
        FileRangeChange.Insert => FallocatePath.InsertAsync(Inode, offset, length),
        _ => throw new ArgumentOutOfRangeException(nameof(change)),
    });

    private async ValueTask<long?> FindAsync(long offset, Func<Inode, long, ValueTask<long>> seek)
    {
        try
        {
            return await seek(Inode, offset).ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSuchRange)
        {
            return null;
        }
    }

    private async ValueTask<long> RunCopyAsync(long offset, OpenFile target, long targetOffset, long length) => FileRequests.Judge(
        await CopyPath.CopyAsync(Inode, offset, target.Inode, targetOffset, length).ConfigureAwait(false), this, "copy");
}
