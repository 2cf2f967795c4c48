using System.Text;
using Penstock.Files;

namespace Penstock;

/// <content>Names: making, removing, renaming, and what belongs to a file besides its content.</content>
public sealed partial class Volume
{
    /// <summary>Makes a directory.</summary>
    /// <exception cref="FileSystemException">Exists, NotFound (a parent), NoSpace, TooManyLinks, ReadOnly.</exception>
    public ValueTask CreateDirectoryAsync(string path, UnixFileMode permissions = (UnixFileMode)0x1ED) =>
        Carry(MakeNodeAsync(path, Describe(FileKind.Directory, permissions)));

    /// <summary>Makes a symbolic link.</summary>
    /// <param name="path">The link.</param>
    /// <param name="target">What it leads to; it need not exist.</param>
    /// <exception cref="FileSystemException">Exists, NotFound, NameTooLong, NoSpace, ReadOnly.</exception>
    public ValueTask CreateSymbolicLinkAsync(string path, string target) =>
        Carry(MakeNodeAsync(path, Describe(FileKind.SymbolicLink, (UnixFileMode)0x1FF) with { LinkTarget = Encoding.UTF8.GetBytes(target) }));

    /// <summary>Makes a pipe, socket or device file.</summary>
    /// <param name="path">The new file.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="permissions">Its permissions.</param>
    /// <param name="deviceNumber">The number of a device, in Linux's encoding.</param>
    /// <exception cref="FileSystemException">Exists, NotFound, NoSpace, ReadOnly.</exception>
    public ValueTask CreateNodeAsync(string path, FileKind kind, UnixFileMode permissions, ulong deviceNumber = 0) =>
        Carry(MakeNodeAsync(path, Describe(kind, permissions) with { DeviceNumber = deviceNumber }));

    /// <summary>Adds a name for a file.</summary>
    /// <param name="existing">The file; a symbolic link is linked itself.</param>
    /// <param name="path">The new name.</param>
    /// <exception cref="FileSystemException">Exists, NotFound, NotPermitted (a directory), TooManyLinks, ReadOnly.</exception>
    public ValueTask CreateHardLinkAsync(string existing, string path) => Carry(LinkAsync(existing, path));

    private async ValueTask LinkAsync(string existing, string path)
    {
        Enter();
        Inode target = await _walk.FindAsync(existing, followsLast: false).ConfigureAwait(false);
        try
        {
            await InParentAsync(path, target, static (names, directory, name, file) => names.LinkAsync(directory, name, file)).ConfigureAwait(false);
        }
        finally
        {
            await FileSystem.Inodes.ReleaseAsync(target).ConfigureAwait(false);
        }
    }

    /// <summary>Removes the name of anything but a directory. A file that is open lives on until it is closed.</summary>
    /// <exception cref="FileSystemException">NotFound, IsADirectory, NotPermitted, ReadOnly.</exception>
    public ValueTask DeleteFileAsync(string path) =>
        Carry(InParentAsync(path, 0, static (names, directory, name, _) => names.UnlinkAsync(directory, name)));

    /// <summary>Removes an empty directory.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory, NotEmpty, Busy (the root), ReadOnly.</exception>
    public ValueTask DeleteDirectoryAsync(string path) =>
        Carry(InParentAsync(path, 0, static (names, directory, name, _) => names.RemoveDirectoryAsync(directory, name)));

    /// <summary>Renames, within the volume and in one step.</summary>
    /// <param name="from">The old name.</param>
    /// <param name="to">The new name.</param>
    /// <param name="overwrite">Whether what has the new name is replaced.</param>
    /// <exception cref="FileSystemException">NotFound, Exists, NotEmpty, InvalidArgument (into itself), ReadOnly, …</exception>
    public ValueTask MoveAsync(string from, string to, bool overwrite = false) =>
        Carry(RenameAsync(from, to, overwrite ? RenameFlags.None : RenameFlags.NoReplace));

    /// <summary>Lets two names swap what they lead to, in one step.</summary>
    /// <exception cref="FileSystemException">NotFound, InvalidArgument, ReadOnly, …</exception>
    public ValueTask ExchangeAsync(string first, string second) => Carry(RenameAsync(first, second, RenameFlags.Exchange));

    /// <summary>The target of a symbolic link.</summary>
    /// <exception cref="FileSystemException">NotFound; InvalidArgument if it is no symbolic link.</exception>
    public ValueTask<string> ReadLinkAsync(string path) =>
        WithAsync(path, followLink: false, 0, static async (inode, _) =>
            inode.Kind == FileKind.SymbolicLink
                ? Encoding.UTF8.GetString(await inode.ReadLinkAsync().ConfigureAwait(false))
                : throw new FileSystemException(IoFault.InvalidArgument, "not a symbolic link"));

    /// <summary>Sets permissions, owner and times; what is null stays.</summary>
    /// <param name="path">The file.</param>
    /// <param name="permissions">The permissions, with setuid, setgid and sticky.</param>
    /// <param name="userId">The owner.</param>
    /// <param name="groupId">The group.</param>
    /// <param name="accessTime">The time of the last read.</param>
    /// <param name="modifyTime">The time of the last change of the content.</param>
    /// <param name="followLink">Whether a symbolic link at the end is followed.</param>
    /// <exception cref="FileSystemException">NotFound, NotPermitted, ReadOnly.</exception>
    public async ValueTask SetDetailsAsync(
        string path,
        UnixFileMode? permissions = null,
        uint? userId = null,
        uint? groupId = null,
        Timestamp? accessTime = null,
        Timestamp? modifyTime = null,
        bool followLink = true)
    {
        var update = new AttributeUpdate
        {
            Mode = (ushort?)permissions,
            UserId = userId,
            GroupId = groupId,
            AccessTime = accessTime is { } access ? TimeUpdate.At(access) : null,
            ModifyTime = modifyTime is { } modify ? TimeUpdate.At(modify) : null,
        };
        await WithAsync(path, followLink, update, static async (inode, u) =>
        {
            await AttributeChanges.ApplyAsync(inode, u).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
    }

    /// <summary>The value of an extended attribute, or null.</summary>
    public ValueTask<byte[]?> GetAttributeAsync(string path, string name, bool followLink = true) =>
        WithAsync(path, followLink, FileName.From(name), static (inode, n) => AttributeReads.GetAsync(inode, n));

    /// <summary>The names of a file's extended attributes, with their prefixes.</summary>
    public ValueTask<IReadOnlyList<string>> ListAttributesAsync(string path, bool followLink = true) =>
        WithAsync<int, IReadOnlyList<string>>(path, followLink, 0, static async (inode, _) =>
            [.. (await AttributeReads.ListAsync(inode).ConfigureAwait(false)).Select(n => n.ToString())]);

    /// <inheritdoc cref="SetAttributeAsync(string, string, ReadOnlyMemory{byte}?, bool)"/>
    /// <remarks>An array that is null would turn into memory that is empty: here it is null, and removes the attribute.</remarks>
    public ValueTask SetAttributeAsync(string path, string name, byte[]? value, bool followLink = true) =>
        SetAttributeAsync(path, name, value is null ? default(ReadOnlyMemory<byte>?) : value.AsMemory(), followLink);

    /// <summary>Sets an extended attribute, or removes it with a null value.</summary>
    /// <exception cref="FileSystemException">NotSupported (an unknown prefix), NoAttribute, NoSpace, ReadOnly.</exception>
    public async ValueTask SetAttributeAsync(string path, string name, ReadOnlyMemory<byte>? value, bool followLink = true)
    {
        AttributeCondition condition = value is null ? AttributeCondition.MustExist : AttributeCondition.None;
        await WithAsync(path, followLink, (Name: FileName.From(name), Value: value, condition), static async (inode, a) =>
        {
            await AttributeChanges.SetAttributeAsync(inode, a.Name, a.Value, a.condition).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
    }

    private async ValueTask MakeNodeAsync(string path, NewNode node)
    {
        await InParentAsync(path, (node, Inodes: FileSystem.Inodes), static async (names, directory, name, a) =>
        {
            Inode inode = await names.MakeAsync(directory, name, a.node).ConfigureAwait(false);
            await a.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private async ValueTask RenameAsync(string from, string to, RenameFlags flags)
    {
        Enter();
        (Inode fromDirectory, FileName fromName) = await _walk.FindParentAsync(from).ConfigureAwait(false);
        try
        {
            await InParentAsync(to, (fromDirectory, fromName, flags), static (names, directory, name, a) =>
                names.RenameAsync(a.fromDirectory, a.fromName, directory, name, a.flags)).ConfigureAwait(false);
        }
        finally
        {
            await FileSystem.Inodes.ReleaseAsync(fromDirectory).ConfigureAwait(false);
        }
    }

    private async ValueTask InParentAsync<T>(string path, T argument, Func<Namespace, Inode, FileName, T, ValueTask> action)
    {
        Enter();
        (Inode directory, FileName name) = await _walk.FindParentAsync(path).ConfigureAwait(false);
        try
        {
            await action(Names, directory, name, argument).ConfigureAwait(false);
        }
        finally
        {
            await FileSystem.Inodes.ReleaseAsync(directory).ConfigureAwait(false);
        }
    }

    private ValueTask<TResult> WithAsync<T, TResult>(string path, bool followLink, T argument, Func<Inode, T, ValueTask<TResult>> action) =>
        Carry(FindForAsync(path, followLink, argument, action));

    private async ValueTask<TResult> FindForAsync<T, TResult>(string path, bool followLink, T argument, Func<Inode, T, ValueTask<TResult>> action)
    {
        Enter();
        Inode inode = await _walk.FindAsync(path, followLink).ConfigureAwait(false);
        try
        {
            return await action(inode, argument).ConfigureAwait(false);
        }
        finally
        {
            await FileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        }
    }
}
