using Penstock.Ext4.Directories;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>Names: look-ups and changes of directories. Each change is one handle.</content>
internal sealed partial class Ext4FileSystem
{
    public override async ValueTask<InodeNumber> LookupAsync(Inode directory, FileName name)
    {
        try
        {
            return await ((Ext4Inode)directory).Directory.LookupAsync(name).ConfigureAwait(false);
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    public override bool TryLookup(Inode directory, ReadOnlySpan<byte> name, out InodeNumber number) =>
        ((Ext4Inode)directory).Directory.TryLookup(name, out number);

    public override async ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink)
    {
        try
        {
            await ((Ext4Inode)directory).Directory.ReadAsync(position, sink).ConfigureAwait(false);
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    public override async ValueTask LinkAsync(Inode directory, FileName name, Inode target)
    {
        var parent = (Ext4Inode)directory;
        var inode = (Ext4Inode)target;
        RequireChangeable(parent);
        RequireSameProject(parent, inode, name);
        if (inode.Attributes.Links >= LinkCounts.Max)
        {
            throw new FileSystemException(IoFault.TooManyLinks);
        }

        await ChangeAsync(
            parent.Directory.CreditsToAdd + 1 + OrphanRegister.Credits,
            async handle =>
            {
                await parent.Directory.AddAsync(handle, name, inode.Number, inode.Kind).ConfigureAwait(false);
                Timestamp now = Now;
                await NameAsync(handle, inode, now).ConfigureAwait(false);
                await TouchAsync(handle, parent, now).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }

    /// <summary>An entry leads to the inode now: one more link, and no orphan any longer.</summary>
    private async ValueTask NameAsync(Handle handle, Ext4Inode inode, Timestamp now)
    {
        inode.Change(now, static (ref InodeAttributes a, Timestamp t) => (a.Links, a.ChangeTime) = (a.Links + 1, t));
        inode.IsUnnamed = false;
        if (inode.Orphan is not null)
        {
            await Orphans.RemoveAsync(handle, inode).ConfigureAwait(false);
        }
        else
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
    }

    public override async ValueTask UnlinkAsync(Inode directory, FileName name, Inode target)
    {
        var parent = (Ext4Inode)directory;
        var inode = (Ext4Inode)target;
        RequireChangeable(parent);
        if (inode.Kind == FileKind.Directory && !await inode.Directory.IsEmptyAsync().ConfigureAwait(false))
        {
            throw new FileSystemException(IoFault.NotEmpty, $"{name}: {IoFault.NotEmpty.Describe()}");
        }

        await ChangeAsync(
            Ext4Directory.CreditsToChange + 1 + OrphanRegister.Credits,
            async handle =>
            {
                await parent.Directory.RemoveAsync(handle, name).ConfigureAwait(false);
                if (inode.Kind == FileKind.Directory)
                {
                    LinkCounts.LoseSubdirectory(parent);
                }

                Timestamp now = Now;
                await DropNameAsync(handle, inode, now).ConfigureAwait(false);
                await TouchAsync(handle, parent, now).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }

    public override async ValueTask DeleteInodeAsync(Inode inode)
    {
        await DropPagesAsync(inode).ConfigureAwait(false);
        await ((Ext4Inode)inode).DeleteAsync().ConfigureAwait(false);
    }

    /// <summary>Names of such directories cannot be hashed or encrypted without what we do not have, so nothing in them is changed.</summary>
    private static void RequireChangeable(Ext4Inode directory)
    {
        if (directory.Is(InodeFlags.CaseFold | InodeFlags.Encrypted))
        {
            throw new FileSystemException(
                IoFault.NotSupported, $"{directory.Number}: names in a casefold or encrypted directory cannot be changed");
        }
    }

    /// <summary>A directory that hands its project on holds nothing of another project: what comes in must be copied.</summary>
    private static void RequireSameProject(Ext4Inode directory, Ext4Inode inode, FileName name)
    {
        if (directory.Is(InodeFlags.InheritProject) && directory.Attributes.ProjectId != inode.Attributes.ProjectId)
        {
            throw new FileSystemException(IoFault.CrossesVolumes, $"{name}: it is of another project than the directory");
        }
    }

    /// <summary>Notes the change of a directory's names and stores it: one credit.</summary>
    private static async ValueTask TouchAsync(Handle handle, Ext4Inode directory, Timestamp now)
    {
        directory.Change(now, static (ref InodeAttributes a, Timestamp t) => (a.ModifyTime, a.ChangeTime) = (t, t));
        await directory.StoreAsync(handle).ConfigureAwait(false);
    }

    /// <summary>An inode has a name less: without any it is an orphan. <see cref="OrphanRegister.Credits"/>.</summary>
    private async ValueTask DropNameAsync(Handle handle, Ext4Inode inode, Timestamp now)
    {
        bool isLast = inode.Kind == FileKind.Directory || inode.Attributes.Links <= 1;
        inode.Change(
            (now, isLast),
            static (ref InodeAttributes a, (Timestamp Now, bool IsLast) c) => (a.Links, a.ChangeTime) = (c.IsLast ? 0 : a.Links - 1, c.Now));
        if (isLast)
        {
            await Orphans.AddAsync(handle, inode).ConfigureAwait(false);
        }
        else
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
    }
}
