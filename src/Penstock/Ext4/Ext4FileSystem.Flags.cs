using Penstock.Ext4.Format;
using Penstock.Files;

namespace Penstock.Ext4;

/// <content>The format's own flags word, and trimming.</content>
internal sealed partial class Ext4FileSystem
{
    /// <summary>Those flags that users may change here: the ones whose meaning we keep, or that only e2fsprogs and people read.</summary>
    private const InodeFlags Settable =
        InodeFlags.SecureDeletion | InodeFlags.Undelete | InodeFlags.Compress | InodeFlags.Synchronous | InodeFlags.Immutable | InodeFlags.AppendOnly
        | InodeFlags.NoDump | InodeFlags.NoAccessTime | InodeFlags.NoTailMerge | InodeFlags.DirectorySync | InodeFlags.TopDirectory
        | InodeFlags.DirectAccess | InodeFlags.InheritProject;

    private const InodeFlags OnlyForDirectories =
        InodeFlags.DirectorySync | InodeFlags.TopDirectory | InodeFlags.InheritProject | InodeFlags.CaseFold;

    public override Timestamp Clamp(Timestamp time)
    {
        Timestamp clamped = HasNanoseconds ? InodeTime.Clamp(time) : InodeTime.ClampToSeconds(time);
        return clamped.Seconds is InodeTime.MinSeconds or InodeTime.MaxSeconds ? new Timestamp(clamped.Seconds) : clamped;
    }

    public override uint GetFormatFlags(Inode inode) =>
        (uint)(InodeFlagMap.Apply(((Ext4Inode)inode).Flags, inode.Attributes.Flags) & InodeFlags.Visible);

    public override async ValueTask SetFormatFlagsAsync(Inode inode, uint flags)
    {
        var ext4 = (Ext4Inode)inode;
        InodeFlags before = InodeFlagMap.Apply(ext4.Flags, inode.Attributes.Flags);
        InodeFlags known = inode.Kind switch
        {
            FileKind.Directory => InodeFlags.Visible,
            FileKind.Regular => InodeFlags.Visible & ~OnlyForDirectories,
            _ => InodeFlags.NoDump | InodeFlags.NoAccessTime,
        };

        // What nobody may change stays as it is, whatever the caller says of it; what only the kernel can change is refused.
        InodeFlags refused = ((InodeFlags)flags & ~known) | ((before ^ (InodeFlags)flags) & InodeFlags.Changeable & ~Settable);
        if (refused != 0)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{inode.Number}: flags 0x{(uint)refused:x} cannot be changed here");
        }

        InodeFlags after = (before & ~Settable) | ((InodeFlags)flags & Settable);
        ext4.SetFlags(after & Settable, ~after & Settable);
        inode.Change((Now, InodeFlagMap.ToFileFlags(after)), static (ref InodeAttributes a, (Timestamp Now, FileFlags Flags) c) =>
            (a.ChangeTime, a.Flags) = (c.Now, c.Flags));
        await ChangeAsync(1, ext4.StoreAsync).ConfigureAwait(false);
    }

    public override async ValueTask SetProjectAsync(Inode inode, uint project)
    {
        var ext4 = (Ext4Inode)inode;
        if (!Volume.Superblock.Has(ReadOnlyCompatFeatures.Project) || !ext4.Record.HasProject)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{inode.Number}: there is no room for a project; the volume needs the feature project");
        }

        inode.Change((Now, project), static (ref InodeAttributes a, (Timestamp Now, uint Project) c) =>
            (a.ChangeTime, a.ProjectId) = (c.Now, c.Project));
        await ChangeAsync(1, ext4.StoreAsync).ConfigureAwait(false);
    }

    public override async ValueTask<long> TrimAsync(long offset, long length, long minimumLength)
    {
        if (offset < 0 || length < BlockSize || offset / BlockSize >= (long)Volume.Geometry.BlockCount)
        {
            throw new FileSystemException(IoFault.InvalidArgument, "the range to trim is not on the volume");
        }

        ulong first = Math.Max((ulong)(offset / BlockSize), Volume.Geometry.FirstDataBlock.Value);
        ulong end = Math.Min(((ulong)offset + (ulong)length) / (uint)BlockSize, Volume.Geometry.BlockCount);
        ulong least = Math.Max((ulong)minimumLength / (uint)BlockSize, 1);
        ulong trimmed = end > first
            ? await Volume.Blocks.TrimAsync(new Mapping.VolumeBlock(first), end - first, least).ConfigureAwait(false)
            : 0;
        return (long)trimmed * BlockSize;
    }
}
