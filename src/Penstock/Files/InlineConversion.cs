using Penstock.Caching;

namespace Penstock.Files;

/// <summary>Moves the content of a file out of its inode into blocks, when it outgrows the inode (Rule 2.8: a change of the mapping's kind).</summary>
internal static class InlineConversion
{
    /// <summary>The inode lock is held exclusively; neither gate nor invalidation lock is held.</summary>
    /// <exception cref="FileSystemException">NoSpace, DeviceFailed: the content is still inline.</exception>
    public static async ValueTask RunAsync(Inode inode)
    {
        if (!inode.HasInlineData)
        {
            return;
        }

        FilePages pages = inode.Pages!;
        await inode.Gate.AcquireExclusiveAsync().ConfigureAwait(false);
        await inode.Invalidation.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            // Nobody makes page 0 dirty again while the inode lock is held, so no writeback of it meets the conversion.
            IoFault fault = await pages.WriteBackAsync(0, pages.PageSize).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                throw new FileSystemException(fault, $"{inode}: inline content could not be written: {fault.Describe()}");
            }

            await inode.ConvertFromInlineAsync().ConfigureAwait(false);
        }
        finally
        {
            inode.Invalidation.ReleaseExclusive();
            inode.Gate.ReleaseExclusive();
        }
    }
}
