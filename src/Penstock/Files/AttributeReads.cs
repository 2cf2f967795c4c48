namespace Penstock.Files;

/// <summary>
/// Extended attributes, read under the inode lock, shared: who changes them rewrites the area in which they lie. Nothing is held on entry or return.
/// </summary>
internal static class AttributeReads
{
    /// <summary>The value of an attribute, or null.</summary>
    public static async ValueTask<byte[]?> GetAsync(Inode inode, FileName name)
    {
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            return await inode.GetAttributeAsync(name).ConfigureAwait(false);
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }

    /// <summary>The names of all attributes, with their prefixes.</summary>
    public static async ValueTask<IReadOnlyList<FileName>> ListAsync(Inode inode)
    {
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            return await inode.ListAttributesAsync().ConfigureAwait(false);
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }

    /// <summary>Whether the inode is known at once to have no attribute, as most have none; false where that takes waiting or a closer look. Allocates nothing.</summary>
    public static bool HasNone(Inode inode)
    {
        if (!inode.Lock.TryAcquireShared())
        {
            return false;
        }

        try
        {
            return inode.HasNoAttributes;
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }
}
