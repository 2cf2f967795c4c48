namespace Penstock.Files;

/// <summary>
/// Changes of attributes and extended attributes, with what belongs together kept together: a mode and the access ACL, an owner and the
/// privileges of the old one. Takes the inode lock; nothing is held on entry or return.
/// </summary>
internal static class AttributeChanges
{
    /// <summary>chmod, chown, utimens in one step.</summary>
    /// <exception cref="FileSystemException">ReadOnly, NotPermitted (immutable or append-only), NoSpace (an ACL that no longer fits).</exception>
    public static async ValueTask ApplyAsync(Inode inode, AttributeUpdate update)
    {
        RequireWritable(inode);
        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            RequireChangeable(inode, update.IsTouch);
            if ((update.ChangesOwner || update.ClearsPrivileges) && inode.Kind != FileKind.Directory)
            {
                // Before the owner: his privileges must not pass to the next one even for a moment.
                await Privileges.ClearAsync(inode, isOutsider: update.IsByOutsider).ConfigureAwait(false);
            }

            if (update.Mode is { } mode)
            {
                await ChangeModeOfAclAsync(inode, mode).ConfigureAwait(false);
            }

            inode.Change((update, inode.FileSystem), static (ref InodeAttributes a, (AttributeUpdate Update, FileSystem FileSystem) c) =>
                Apply(ref a, c.Update, c.FileSystem));
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    /// <summary>Sets an extended attribute or, with a null <paramref name="value"/>, removes it; an access ACL changes the mode too.</summary>
    /// <param name="inode">Whose attribute.</param>
    /// <param name="name">Its full name.</param>
    /// <param name="value">Its value, or null.</param>
    /// <param name="condition">What must be true for it to succeed.</param>
    /// <param name="clearsSetGid">Whether a caller outside the file's group sets an access ACL, which costs the file its setgid.</param>
    /// <exception cref="FileSystemException">As <see cref="Inode.SetAttributeAsync"/>; ReadOnly, NotPermitted, AccessDenied, InvalidArgument.</exception>
    public static async ValueTask SetAttributeAsync(
        Inode inode, FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition, bool clearsSetGid = false)
    {
        RequireWritable(inode);
        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            RequireChangeable(inode, isTouch: false);
            if (name == AccessControlList.AccessName)
            {
                await SetAccessAclAsync(inode, value, clearsSetGid).ConfigureAwait(false);
            }
            else
            {
                if (name == AccessControlList.DefaultName)
                {
                    RequireDefaultAcl(inode, value);
                }

                await inode.SetAttributeAsync(name, value, condition).ConfigureAwait(false);
            }

            FileTimes.Changed(inode);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    private static void Apply(ref InodeAttributes attributes, AttributeUpdate update, FileSystem fileSystem)
    {
        Timestamp now = fileSystem.Now;
        if (update.Mode is { } mode)
        {
            attributes.Mode = (ushort)((attributes.Mode & ModeBits.KindMask) | (mode & ModeBits.PermissionMask));
        }

        attributes.UserId = update.UserId ?? attributes.UserId;
        attributes.GroupId = update.GroupId ?? attributes.GroupId;
        if (update.AccessTime is { } access)
        {
            attributes.AccessTime = access.IsNow ? now : fileSystem.Clamp(access.Time);
        }

        if (update.ModifyTime is { } modify)
        {
            attributes.ModifyTime = modify.IsNow ? now : fileSystem.Clamp(modify.Time);
        }

        attributes.ChangeTime = now;
    }

    /// <summary>The access ACL says of owner, mask and others what the mode says of owner, group and others.</summary>
    private static async ValueTask ChangeModeOfAclAsync(Inode inode, ushort mode)
    {
        if (inode.Kind == FileKind.SymbolicLink)
        {
            return;
        }

        byte[]? value = await inode.GetAttributeAsync(AccessControlList.AccessName).ConfigureAwait(false);
        if (value is not null)
        {
            byte[] changed = AccessControlList.Parse(value).WithMode(mode).ToValue();
            await inode.SetAttributeAsync(AccessControlList.AccessName, changed, AttributeCondition.None).ConfigureAwait(false);
        }
    }

    private static async ValueTask SetAccessAclAsync(Inode inode, ReadOnlyMemory<byte>? value, bool clearsSetGid)
    {
        if (inode.Kind == FileKind.SymbolicLink)
        {
            throw new FileSystemException(IoFault.NotSupported);
        }

        AccessControlList? list = value is { } given ? AccessControlList.Parse(given.Span) : null;

        // A list that says no more than a mode is kept as the mode alone.
        // (An array that is null would turn into memory that is empty.)
        ReadOnlyMemory<byte>? stored = list is null or { IsMode: true } ? default(ReadOnlyMemory<byte>?) : list.ToValue();
        if (stored is not null || await inode.GetAttributeAsync(AccessControlList.AccessName).ConfigureAwait(false) is not null)
        {
            await inode.SetAttributeAsync(AccessControlList.AccessName, stored, AttributeCondition.None).ConfigureAwait(false);
        }

        if (list is not null)
        {
            inode.Change((list, clearsSetGid), static (ref InodeAttributes a, (AccessControlList List, bool ClearsSetGid) c) =>
            {
                ushort mode = c.List.ApplyTo(a.Mode);
                a.Mode = c.ClearsSetGid ? (ushort)(mode & ~ModeBits.SetGid) : mode;
            });
        }
    }

    private static void RequireDefaultAcl(Inode inode, ReadOnlyMemory<byte>? value)
    {
        if (inode.Kind != FileKind.Directory && value is not null)
        {
            throw new FileSystemException(IoFault.AccessDenied, $"{inode}: only a directory has a default access control list");
        }

        if (value is { } given)
        {
            _ = AccessControlList.Parse(given.Span);
        }
    }

    private static void RequireWritable(Inode inode)
    {
        if (inode.FileSystem.ReadOnlyReason is { } reason)
        {
            throw new FileSystemException(IoFault.ReadOnly, $"{inode}: the volume is read-only: {reason}");
        }
    }

    private static void RequireChangeable(Inode inode, bool isTouch)
    {
        FileFlags forbidding = isTouch ? FileFlags.Immutable : FileFlags.Immutable | FileFlags.AppendOnly;
        if ((inode.Attributes.Flags & forbidding) != 0)
        {
            throw new FileSystemException(IoFault.NotPermitted, $"{inode} is immutable or append-only");
        }
    }
}
