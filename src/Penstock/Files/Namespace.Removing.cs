using Penstock.Mapping;

namespace Penstock.Files;

/// <content>Removing names: unlink, rmdir.</content>
internal sealed partial class Namespace
{
    /// <summary>Removes the name of anything but a directory. Open files live on.</summary>
    /// <exception cref="FileSystemException">NotFound, IsADirectory, ReadOnly, NotPermitted.</exception>
    public async ValueTask UnlinkAsync(Inode directory, FileName name)
    {
        RequireDirectory(directory);
        RequireWritable();
        if (name.IsDotOrDotDot)
        {
            throw Fail(IoFault.IsADirectory, name);
        }

        Inode? target = null;
        await directory.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            InodeNumber number = await fileSystem.LookupAsync(directory, name).ConfigureAwait(false);
            if (number.IsNone)
            {
                throw Fail(IoFault.NotFound, name);
            }

            target = await Inodes.GetAsync(number).ConfigureAwait(false);
            if (target.Kind == FileKind.Directory)
            {
                throw Fail(IoFault.IsADirectory, name);
            }

            await UnlinkLockedAsync(directory, name, target).ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseExclusive();
            await ReleaseAsync(target).ConfigureAwait(false);
        }
    }

    /// <summary>Removes an empty directory.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory, NotEmpty, InvalidArgument ("."), Busy (the root), ReadOnly, NotPermitted.</exception>
    public async ValueTask RemoveDirectoryAsync(Inode directory, FileName name)
    {
        RequireDirectory(directory);
        RequireWritable();
        if (name.IsDotOrDotDot)
        {
            throw Fail(name.Length == 1 ? IoFault.InvalidArgument : IoFault.NotEmpty, name);
        }

        while (!await TryRemoveDirectoryAsync(directory, name).ConfigureAwait(false))
        {
            // The name led elsewhere by the time both were locked.
        }
    }

    private async ValueTask<bool> TryRemoveDirectoryAsync(Inode directory, FileName name)
    {
        Inode target = await LookupAsync(directory, name).ConfigureAwait(false);
        var locks = new InodeLockSet();
        locks.Add(directory);
        locks.Add(target);
        try
        {
            RequireDistinct(directory, name, target);
            await locks.AcquireAsync().ConfigureAwait(false);
            if (await fileSystem.LookupAsync(directory, name).ConfigureAwait(false) != target.Number)
            {
                return false;
            }

            RequireRemovable(directory, name, target, asDirectory: true);
            await fileSystem.UnlinkAsync(directory, name, target).ConfigureAwait(false);
            return true;
        }
        finally
        {
            locks.Release();
            await ReleaseAsync(target).ConfigureAwait(false);
        }
    }

    private async ValueTask UnlinkLockedAsync(Inode directory, FileName name, Inode target)
    {
        await target.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            RequireRemovable(directory, name, target, asDirectory: false);
            await fileSystem.UnlinkAsync(directory, name, target).ConfigureAwait(false);
        }
        finally
        {
            target.Lock.ReleaseExclusive();
        }
    }

    private static void RequireDistinct(Inode directory, FileName name, Inode target)
    {
        if (target == directory)
        {
            throw new CorruptVolumeException("directory", directory.ToString(), "entry", $"'{name}', which leads to the directory itself");
        }
    }
}
