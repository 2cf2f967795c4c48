using Penstock.Ext4.Attributes;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>Making inodes.</content>
internal sealed partial class Ext4FileSystem
{
    private const int DefaultExtraSize = 32;

    /// <summary>A regular file that only its owner may read and write.</summary>
    private const ushort ValueInodeMode = 0x8180;

    private int WantedExtraSize => Volume.Superblock.WantExtraInodeSize is not 0 and ushort wanted ? wanted : DefaultExtraSize;

    /// <summary>What a new inode takes from its directory's flags (EXT4_FL_INHERITED), by its kind.</summary>
    private const InodeFlags InheritedByDirectories =
        InodeFlags.SecureDeletion | InodeFlags.Undelete | InodeFlags.Compress | InodeFlags.Synchronous | InodeFlags.NoDump
        | InodeFlags.NoAccessTime | InodeFlags.NoCompress | InodeFlags.JournalContents | InodeFlags.NoTailMerge
        | InodeFlags.DirectorySync | InodeFlags.InheritProject | InodeFlags.CaseFold | InodeFlags.DirectAccess;

    private const InodeFlags InheritedByFiles =
        InheritedByDirectories & ~(InodeFlags.DirectorySync | InodeFlags.InheritProject | InodeFlags.CaseFold);

    private const InodeFlags InheritedByOthers = InodeFlags.NoDump | InodeFlags.NoAccessTime;

    public override async ValueTask<Inode> CreateAsync(Inode directory, FileName name, NewInode what)
    {
        var parent = (Ext4Inode)directory;
        RequireChangeable(parent);
        RequireMakeable(parent, name, what);
        int credits = CreditsToMake + parent.Directory.CreditsToAdd + 1;
        return await MakeAsync(parent, credits, what, async (handle, inode) =>
        {
            await parent.Directory.AddAsync(handle, name, inode.Number, inode.Kind).ConfigureAwait(false);
            if (inode.Kind == FileKind.Directory)
            {
                LinkCounts.GainSubdirectory(parent);
            }

            await TouchAsync(handle, parent, inode.Attributes.BirthTime).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    public override async ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewInode what)
    {
        var parent = (Ext4Inode)directory;
        return await MakeAsync(parent, CreditsToMake + OrphanRegister.Credits, what, async (handle, inode) =>
        {
            inode.IsUnnamed = true;
            inode.Change(static (ref InodeAttributes a) => a.Links = 0);
            await Orphans.AddAsync(handle, inode).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    /// <summary>A number, the inode, its first block, and its attributes.</summary>
    private int CreditsToMake => Allocation.InodeAllocator.CreditsToAllocate + 1 + Ext4Inode.CreditsForFirstBlock + AttributeStore.CreditsToSet(Volume);

    private void RequireMakeable(Ext4Inode parent, FileName name, NewInode what)
    {
        FileKind kind = ModeBits.ToKind(what.Mode);
        if (kind == FileKind.SymbolicLink && what.LinkTarget.Length >= BlockSize)
        {
            throw new FileSystemException(IoFault.NameTooLong, $"{name}: the target of the link is too long for a block of {BlockSize} bytes");
        }

        if (kind == FileKind.Directory)
        {
            LinkCounts.RequireRoomForSubdirectory(parent);
        }
    }

    /// <summary>
    /// Makes an inode and finishes it with <paramref name="place"/>, all in one handle. If anything fails half-way, what was made
    /// becomes an orphan and is freed like one.
    /// </summary>
    private async ValueTask<Inode> MakeAsync(Ext4Inode parent, int credits, NewInode what, Func<Handle, Ext4Inode, ValueTask> place)
    {
        Ext4Inode? made = null;
        PreparedValue? access = null;
        PreparedValue? inherited = null;
        try
        {
            access = await AttributeStore.PrepareInheritedAsync(parent, AccessControlList.AccessName, what.AccessAcl).ConfigureAwait(false);
            inherited = await AttributeStore.PrepareInheritedAsync(parent, AccessControlList.DefaultName, what.DefaultAcl).ConfigureAwait(false);
            await ChangeAsync(credits + (3 * OrphanRegister.Credits), async handle =>
            {
                made = await AllocateAsync(handle, parent, what).ConfigureAwait(false);
                try
                {
                    await FillAsync(handle, made, parent, what).ConfigureAwait(false);
                    await SetListsAsync(handle, made, what, access, inherited).ConfigureAwait(false);
                    await place(handle, made).ConfigureAwait(false);
                    await made.StoreAsync(handle).ConfigureAwait(false);
                }
                catch (FileSystemException)
                {
                    made.Change(static (ref InodeAttributes a) => a.Links = 0);
                    await Orphans.AddAsync(handle, made).ConfigureAwait(false);
                    throw;
                }
            }).ConfigureAwait(false);
            return made!;
        }
        catch when (made is not null)
        {
            await Inodes.ReleaseAsync(made).ConfigureAwait(false);
            throw;
        }
        finally
        {
            await PreparedValue.ReleaseAsync(access).ConfigureAwait(false);
            await PreparedValue.ReleaseAsync(inherited).ConfigureAwait(false);
        }
    }

    /// <summary>Makes an inode for the value of an attribute, without contents: an orphan as yet. In a handle of its own.</summary>
    /// <param name="user">Whose attribute it is, or a directory near by.</param>
    /// <param name="hash">The hash of the value.</param>
    internal async ValueTask<Ext4Inode> MakeValueInodeAsync(Ext4Inode user, uint hash)
    {
        Ext4Inode? made = null;
        await ChangeAsync(Allocation.InodeAllocator.CreditsToAllocate + OrphanRegister.Credits, async handle =>
        {
            Allocation.AllocatedInode place = await Volume.Inodes.AllocateAsync(handle, user.Number, isDirectory: false).ConfigureAwait(false);
            VolumeBlock tableBlock = await FindTableBlockAsync(place.Number).ConfigureAwait(false);
            InodeRecord record = InodeRecord.Create(Volume.Superblock.InodeSize, WantedExtraSize);
            (record.Mode, record.Uid, record.Gid, record.Generation) = (ValueInodeMode, user.Attributes.UserId, user.Attributes.GroupId, place.Generation);
            (record.Modified, record.Born) = (Now, Now);
            AttributeValueInode.WriteHash(record, hash);
            StartMap(record);
            var value = new Ext4Inode(this, place.Number, record, tableBlock) { HoldsValue = true };
            await StoreFirstAsync(handle, value).ConfigureAwait(false);
            made = value;
            Inodes.AddNew(made);
            await Orphans.AddAsync(handle, made).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return made!;
    }

    private async ValueTask<Ext4Inode> AllocateAsync(Handle handle, Ext4Inode parent, NewInode what)
    {
        FileKind kind = ModeBits.ToKind(what.Mode);
        Allocation.AllocatedInode place = await Volume.Inodes.AllocateAsync(handle, parent.Number, kind == FileKind.Directory)
            .ConfigureAwait(false);
        VolumeBlock tableBlock = await FindTableBlockAsync(place.Number).ConfigureAwait(false);
        InodeRecord record = CreateRecord(parent, what);
        record.Generation = place.Generation;
        var inode = new Ext4Inode(this, place.Number, record, tableBlock);
        await StoreFirstAsync(handle, inode).ConfigureAwait(false);
        Inodes.AddNew(inode);
        if (inode.HasInlineData)
        {
            inode.ExtendedAttributes.StartInline();
        }

        return inode;
    }

    /// <summary>Has a new inode's block in the transaction before a name or the register of orphans leads to it: from then on it can be stored. Else its number is free again.</summary>
    private async ValueTask StoreFirstAsync(Handle handle, Ext4Inode inode)
    {
        try
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        catch (FileSystemException)
        {
            inode.Retire();
            await Volume.Inodes.FreeAsync(handle, inode.Number, inode.Kind == FileKind.Directory).ConfigureAwait(false);
            throw;
        }
    }

    private InodeRecord CreateRecord(Ext4Inode parent, NewInode what)
    {
        InodeRecord record = InodeRecord.Create(Volume.Superblock.InodeSize, WantedExtraSize);
        FileKind kind = ModeBits.ToKind(what.Mode);
        record.Mode = what.Mode;
        record.Uid = what.UserId;
        record.Gid = what.GroupId;
        record.LinkCount = (ushort)(kind == FileKind.Directory ? 2 : 1);
        record.Flags = InheritFlags(parent, kind);
        if (parent.Is(InodeFlags.InheritProject))
        {
            record.ProjectId = parent.Attributes.ProjectId;
        }

        Timestamp now = Now;
        (record.Accessed, record.Modified, record.Changed, record.Born) = (now, now, now, now);
        if (kind is FileKind.CharacterDevice or FileKind.BlockDevice)
        {
            record.Device = DeviceNumbers.Split(what.DeviceNumber);
        }
        else if (kind == FileKind.SymbolicLink && what.LinkTarget.Length < InodeRecord.BlockFieldSize)
        {
            what.LinkTarget.Span.CopyTo(record.BlockField);
            record.Size = (ulong)what.LinkTarget.Length;
        }
        else if (kind is FileKind.Regular or FileKind.Directory && Volume.Superblock.Has(IncompatFeatures.InlineData)
            && AttributeStore.RoomForInline(record) >= 0)
        {
            record.Flags |= InodeFlags.InlineContents;
        }
        else if (kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink)
        {
            StartMap(record);
        }

        if (kind == FileKind.SymbolicLink)
        {
            record.Size = (ulong)what.LinkTarget.Length;
        }

        return record;
    }

    private void StartMap(InodeRecord record)
    {
        if (Volume.Superblock.Has(IncompatFeatures.Extents))
        {
            record.Flags |= InodeFlags.Extents;
            Extents.ExtentTree.WriteEmptyRoot(record.BlockField);
        }
    }

    private static InodeFlags InheritFlags(Ext4Inode parent, FileKind kind) => parent.Flags & kind switch
    {
        FileKind.Directory => InheritedByDirectories,
        FileKind.Regular => InheritedByFiles,
        _ => InheritedByOthers,
    };

    private static async ValueTask FillAsync(Handle handle, Ext4Inode inode, Ext4Inode parent, NewInode what)
    {
        if (inode.Kind == FileKind.Directory)
        {
            await inode.Directory.StartAsync(handle, parent.Number).ConfigureAwait(false);
        }
        else if (inode.Kind == FileKind.SymbolicLink && !inode.IsFastLink)
        {
            await inode.WriteLinkAsync(handle, what.LinkTarget).ConfigureAwait(false);
        }
    }

    private static async ValueTask SetListsAsync(Handle handle, Ext4Inode inode, NewInode what, PreparedValue? access, PreparedValue? inherited)
    {
        if (what.DefaultAcl is { } defaultAcl)
        {
            await inode.ExtendedAttributes.SetAsync(handle, AccessControlList.DefaultName, defaultAcl, inherited).ConfigureAwait(false);
        }

        if (what.AccessAcl is { } accessAcl)
        {
            await inode.ExtendedAttributes.SetAsync(handle, AccessControlList.AccessName, accessAcl, access).ConfigureAwait(false);
        }
    }
}
