using Penstock.Ext4.Directories;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;

namespace Penstock.Ext4;

/// <content>Renaming: the new name first, then the old one goes, so that a crash in between loses neither.</content>
internal sealed partial class Ext4FileSystem
{
    public override async ValueTask RenameAsync(RenameRequest request)
    {
        RequireChangeable((Ext4Inode)request.FromDirectory);
        RequireChangeable((Ext4Inode)request.ToDirectory);
        RequireSameProject((Ext4Inode)request.ToDirectory, (Ext4Inode)request.Source, request.FromName);
        if (request.IsExchange)
        {
            RequireSameProject((Ext4Inode)request.FromDirectory, (Ext4Inode)request.Target!, request.ToName);
        }

        if (request.Source.Kind == FileKind.Directory)
        {
            await RequireWholeAsync((Ext4Inode)request.Source).ConfigureAwait(false);
        }

        if (request.IsExchange)
        {
            await ExchangeAsync(request).ConfigureAwait(false);
            return;
        }

        if (request.Target is Ext4Inode { Kind: FileKind.Directory } target && !await target.Directory.IsEmptyAsync().ConfigureAwait(false))
        {
            throw new FileSystemException(IoFault.NotEmpty, $"{request.ToName}: {IoFault.NotEmpty.Describe()}");
        }

        if (MovesDirectory(request) && request.Target is null)
        {
            LinkCounts.RequireRoomForSubdirectory((Ext4Inode)request.ToDirectory);
        }

        await MoveAsync(request).ConfigureAwait(false);
    }

    private static bool MovesDirectory(RenameRequest request) =>
        request.Source.Kind == FileKind.Directory && request.FromDirectory != request.ToDirectory;

    /// <summary>A directory whose start is damaged is not moved: its ".." could not be changed half-way through.</summary>
    private static async ValueTask RequireWholeAsync(Ext4Inode directory) => _ = await directory.Directory.GetParentAsync().ConfigureAwait(false);

    private ValueTask MoveAsync(RenameRequest request)
    {
        var from = (Ext4Inode)request.FromDirectory;
        var to = (Ext4Inode)request.ToDirectory;
        var source = (Ext4Inode)request.Source;
        var target = (Ext4Inode?)request.Target;
        int credits = to.Directory.CreditsToAdd + (2 * Ext4Directory.CreditsToChange) + 3 + OrphanRegister.Credits
            + (request.Whiteout is null ? 0 : 1 + OrphanRegister.Credits);
        return ChangeAsync(credits, async handle =>
        {
            Timestamp now = Now;
            if (target is null)
            {
                await to.Directory.AddAsync(handle, request.ToName, source.Number, source.Kind).ConfigureAwait(false);
            }
            else
            {
                await to.Directory.RedirectAsync(handle, request.ToName, source.Number, source.Kind).ConfigureAwait(false);
            }

            if (request.Whiteout is Ext4Inode whiteout)
            {
                await from.Directory.RedirectAsync(handle, request.FromName, whiteout.Number, whiteout.Kind).ConfigureAwait(false);
                await NameAsync(handle, whiteout, now).ConfigureAwait(false);
            }
            else
            {
                await from.Directory.RemoveAsync(handle, request.FromName).ConfigureAwait(false);
            }

            if (source.Kind == FileKind.Directory)
            {
                await MoveSubdirectoryAsync(handle, from, to, source, replaces: target is not null).ConfigureAwait(false);
            }

            source.Change(now, static (ref InodeAttributes a, Timestamp t) => a.ChangeTime = t);
            await source.StoreAsync(handle).ConfigureAwait(false);
            if (target is not null)
            {
                await DropNameAsync(handle, target, now).ConfigureAwait(false);
            }

            await TouchBothAsync(handle, from, to, now).ConfigureAwait(false);
        });
    }

    /// <summary>Counts subdirectories and points ".." to the new parent.</summary>
    private static async ValueTask MoveSubdirectoryAsync(Handle handle, Ext4Inode from, Ext4Inode to, Ext4Inode source, bool replaces)
    {
        if (from != to)
        {
            await source.Directory.SetParentAsync(handle, to.Number).ConfigureAwait(false);
        }

        LinkCounts.LoseSubdirectory(from);
        if (!replaces)
        {
            LinkCounts.GainSubdirectory(to);
        }
    }

    private ValueTask ExchangeAsync(RenameRequest request)
    {
        var from = (Ext4Inode)request.FromDirectory;
        var to = (Ext4Inode)request.ToDirectory;
        var source = (Ext4Inode)request.Source;
        var target = (Ext4Inode)request.Target!;
        return ChangeAsync((4 * Ext4Directory.CreditsToChange) + 4, async handle =>
        {
            Timestamp now = Now;
            await to.Directory.RedirectAsync(handle, request.ToName, source.Number, source.Kind).ConfigureAwait(false);
            await from.Directory.RedirectAsync(handle, request.FromName, target.Number, target.Kind).ConfigureAwait(false);
            if (from != to)
            {
                await SwapParentAsync(handle, from, to, source).ConfigureAwait(false);
                await SwapParentAsync(handle, to, from, target).ConfigureAwait(false);
            }

            foreach (Ext4Inode inode in (ReadOnlySpan<Ext4Inode>)[source, target])
            {
                inode.Change(now, static (ref InodeAttributes a, Timestamp t) => a.ChangeTime = t);
            }

            await source.StoreAsync(handle).ConfigureAwait(false);
            await target.StoreAsync(handle).ConfigureAwait(false);
            await TouchBothAsync(handle, from, to, now).ConfigureAwait(false);
        });
    }

    private static async ValueTask SwapParentAsync(Handle handle, Ext4Inode from, Ext4Inode to, Ext4Inode moved)
    {
        if (moved.Kind == FileKind.Directory)
        {
            await moved.Directory.SetParentAsync(handle, to.Number).ConfigureAwait(false);
            LinkCounts.LoseSubdirectory(from);
            LinkCounts.GainSubdirectory(to);
        }
    }

    private static async ValueTask TouchBothAsync(Handle handle, Ext4Inode from, Ext4Inode to, Timestamp now)
    {
        await TouchAsync(handle, from, now).ConfigureAwait(false);
        if (to != from)
        {
            await TouchAsync(handle, to, now).ConfigureAwait(false);
        }
    }
}
