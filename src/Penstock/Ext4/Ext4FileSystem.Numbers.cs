using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>Files found by their numbers, without a name.</content>
internal sealed partial class Ext4FileSystem
{
    /// <remarks>
    /// The bitmap is asked first: the record of an inode that is not in use may be anything, which would pass for damage.
    /// </remarks>
    public override async ValueTask<Inode?> FindByNumberAsync(InodeNumber number)
    {
        bool isOrdinary = number == RootNumber || number.Value >= Volume.Geometry.FirstInode;
        if (!isOrdinary || !Volume.Geometry.Contains(number)
            || !await Volume.Inodes.IsInUseAsync(Volume.Geometry.Locate(number)).ConfigureAwait(false))
        {
            return null;
        }

        Inode inode;
        try
        {
            inode = await Inodes.GetAsync(number).ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e.Fault == IoFault.Stale)
        {
            return null;
        }

        if (inode.Attributes.Links == 0 || (((Ext4Inode)inode).Flags & InodeFlags.ExtendedAttributeInode) != 0)
        {
            await Inodes.ReleaseAsync(inode).ConfigureAwait(false);
            return null;
        }

        return inode;
    }
}
