using Penstock.Mapping;

namespace Penstock.Files;

/// <content>Renaming.</content>
internal sealed partial class Namespace
{
    /// <summary>
    /// Renames, replacing what has the new name unless the flags say otherwise. <paramref name="whiteout"/> says what the flag of that name makes.
    /// </summary>
    /// <exception cref="FileSystemException">NotFound, Exists, InvalidArgument (into a descendant), NotEmpty, IsADirectory, NotADirectory,
    /// Busy ("." or ".."), TooManyLinks, NotPermitted, ReadOnly, NoSpace.</exception>
    public async ValueTask RenameAsync(Inode fromDirectory, FileName fromName, Inode toDirectory, FileName toName, RenameFlags flags, NewNode? whiteout = null)
    {
        RequireDirectory(fromDirectory);
        RequireDirectory(toDirectory);
        bool isKnown = (flags & ~(RenameFlags.NoReplace | RenameFlags.Exchange | RenameFlags.Whiteout)) == 0;
        bool isContrary = (flags & RenameFlags.Exchange) != 0 && flags != RenameFlags.Exchange;
        if (!isKnown || isContrary || ((flags & RenameFlags.Whiteout) != 0) != whiteout.HasValue)
        {
            throw Fail(IoFault.InvalidArgument, fromName);
        }

        if (fromName.IsDotOrDotDot || toName.IsDotOrDotDot)
        {
            throw Fail(toName.IsDotOrDotDot && flags == RenameFlags.NoReplace ? IoFault.Exists : IoFault.Busy, fromName);
        }

        RequireWritable();
        Inode? white = whiteout is { } node ? await CreateUnnamedAsync(fromDirectory, node).ConfigureAwait(false) : null;
        var step = new RenameStep(fromDirectory, fromName, toDirectory, toName, flags, white);
        bool holdsRenameLock = false;
        try
        {
            RenameProgress progress;
            while ((progress = await TryRenameAsync(step, holdsRenameLock).ConfigureAwait(false)) != RenameProgress.Done)
            {
                if (progress == RenameProgress.NeedsRenameLock)
                {
                    await fileSystem.RenameLock.AcquireExclusiveAsync().ConfigureAwait(false);
                    holdsRenameLock = true;
                }
            }
        }
        finally
        {
            if (holdsRenameLock)
            {
                fileSystem.RenameLock.ReleaseExclusive();
            }

            await ReleaseAsync(white).ConfigureAwait(false);
        }
    }

    private async ValueTask<RenameProgress> TryRenameAsync(RenameStep step, bool holdsRenameLock)
    {
        Inode? source = null;
        Inode? target = null;
        try
        {
            source = await LookupAsync(step.FromDirectory, step.FromName).ConfigureAwait(false);
            target = await TryLookupAsync(step.ToDirectory, step.ToName).ConfigureAwait(false);
            if (target is null ? step.IsExchange : (step.Flags & RenameFlags.NoReplace) != 0)
            {
                throw Fail(target is null ? IoFault.NotFound : IoFault.Exists, step.ToName);
            }

            if (!holdsRenameLock && MovesDirectory(step, source, target))
            {
                return RenameProgress.NeedsRenameLock;
            }

            await RequireNoCircleAsync(step, source, target).ConfigureAwait(false);
            return source == target || await RenameLockedAsync(step, source, target).ConfigureAwait(false)
                ? RenameProgress.Done
                : RenameProgress.LookAgain;
        }
        finally
        {
            await ReleaseAsync(target).ConfigureAwait(false);
            await ReleaseAsync(source).ConfigureAwait(false);
        }
    }

    private static bool MovesDirectory(RenameStep step, Inode source, Inode? target) =>
        step.FromDirectory != step.ToDirectory
        && (source.Kind == FileKind.Directory || (step.IsExchange && target!.Kind == FileKind.Directory));

    /// <summary>No directory may move into itself or below itself. Nothing is locked but, where a directory moves, the rename lock: then no
    /// other directory changes its parent meanwhile, and the way up stays what it is.</summary>
    private async ValueTask RequireNoCircleAsync(RenameStep step, Inode source, Inode? target)
    {
        if (step.FromDirectory == step.ToDirectory)
        {
            RequireDistinct(step.FromDirectory, step.FromName, source);
            RequireDistinct(step.ToDirectory, step.ToName, target ?? source);
            return;
        }

        if (source.Kind == FileKind.Directory && await IsSameOrAboveAsync(source, step.ToDirectory).ConfigureAwait(false))
        {
            throw Fail(IoFault.InvalidArgument, step.FromName);
        }

        if (target?.Kind == FileKind.Directory && await IsSameOrAboveAsync(target, step.FromDirectory).ConfigureAwait(false))
        {
            throw Fail(step.IsExchange ? IoFault.InvalidArgument : IoFault.NotEmpty, step.ToName);
        }
    }

    private async ValueTask<bool> RenameLockedAsync(RenameStep step, Inode source, Inode? target)
    {
        var locks = new InodeLockSet();
        locks.Add(step.FromDirectory);
        locks.Add(step.ToDirectory);
        locks.Add(source);
        locks.Add(target);
        locks.Add(step.Whiteout);
        await locks.AcquireAsync().ConfigureAwait(false);
        try
        {
            InodeNumber sourceNow = await fileSystem.LookupAsync(step.FromDirectory, step.FromName).ConfigureAwait(false);
            InodeNumber targetNow = await fileSystem.LookupAsync(step.ToDirectory, step.ToName).ConfigureAwait(false);
            if (sourceNow != source.Number || targetNow != (target?.Number ?? default))
            {
                return false;
            }

            RequireRenamable(step, source, target);
            await fileSystem.RenameAsync(new RenameRequest
            {
                FromDirectory = step.FromDirectory,
                FromName = step.FromName,
                Source = source,
                ToDirectory = step.ToDirectory,
                ToName = step.ToName,
                Target = target,
                Whiteout = step.Whiteout,
                IsExchange = step.IsExchange,
            }).ConfigureAwait(false);
            return true;
        }
        finally
        {
            locks.Release();
        }
    }

    private void RequireRenamable(RenameStep step, Inode source, Inode? target)
    {
        bool isDirectory = source.Kind == FileKind.Directory;
        RequireRemovable(step.FromDirectory, step.FromName, source, isDirectory);
        if (target is null)
        {
            RequireRoomForNames(step.ToDirectory, step.ToName);
        }
        else
        {
            RequireRemovable(
                step.ToDirectory, step.ToName, target, step.IsExchange ? target.Kind == FileKind.Directory : isDirectory);
        }
    }

    /// <summary>Whether <paramref name="upper"/> is <paramref name="lower"/> or one of the directories above it.</summary>
    private async ValueTask<bool> IsSameOrAboveAsync(Inode upper, Inode lower)
    {
        Inode current = lower;
        Inodes.Reference(current);
        try
        {
            // Brent's way of noticing that a damaged volume leads in a circle: a mark that is moved to the present place at each power of two.
            InodeNumber mark = current.Number;
            for (ulong steps = 1; current.Number != fileSystem.RootNumber; steps++)
            {
                if (current == upper)
                {
                    return true;
                }

                Inode above = await LookupAsync(current, s_parentName).ConfigureAwait(false);
                await ReleaseAsync(current).ConfigureAwait(false);
                current = above;
                if (current.Number == mark)
                {
                    throw new CorruptVolumeException("directory", current.ToString(), "..", "a way up that never reaches the root");
                }

                mark = ulong.IsPow2(steps) ? current.Number : mark;
            }

            return current == upper;
        }
        finally
        {
            await ReleaseAsync(current).ConfigureAwait(false);
        }
    }

    private enum RenameProgress
    {
        Done,
        LookAgain,
        NeedsRenameLock,
    }

    private sealed record RenameStep(Inode FromDirectory, FileName FromName, Inode ToDirectory, FileName ToName, RenameFlags Flags, Inode? Whiteout)
    {
        public bool IsExchange => (Flags & RenameFlags.Exchange) != 0;
    }
}
