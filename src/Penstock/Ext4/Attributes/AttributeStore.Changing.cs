using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <content>Setting and removing. A changed attribute goes into the record if it fits there, else into the block; a large value into an inode of its own.</content>
internal sealed partial class AttributeStore
{
    /// <summary>A larger value (aligned) goes to an inode of its own, where the volume has that, even if the block had room for it. As Linux has it.</summary>
    private int MaxValueInBlock =>
        Volume.Geometry.BlockSize - AttributeEntry.LengthFor(NameOfThree) - AttributeBlockHeader.Size - AttributeEntry.TerminatorSize;

    private const int NameOfThree = 3;

    private bool HasValueInodes => Volume.Superblock.Has(IncompatFeatures.EaInode);

    /// <summary>The record, a new block with what allocating it takes, and the old block with what freeing it takes.</summary>
    public static int CreditsToSet(Ext4Volume volume) => 1 + 1 + BlockAllocator.CreditsPerGroup + 1 + volume.Blocks.CreditsToFree(1);

    /// <summary>Sets or removes an attribute, in a handle of its own, after those that write a large value.</summary>
    /// <exception cref="FileSystemException">Exists, NoAttribute, NoSpace, NotSupported, ArgumentTooBig, BufferTooSmall (a name too long).</exception>
    public async ValueTask SetAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition)
    {
        StoredName stored = RequireSettable(name, value);
        byte[]? bytes = value is null ? null : ToStored(stored, value.Value);
        List<StoredAttribute> body = ReadBody();
        KeepInlineRoom(body);
        List<StoredAttribute> block = await ReadOptionalBlockAsync().ConfigureAwait(false);
        bool exists = (Find(body, stored) ?? Find(block, stored)) is not null;
        if (exists ? condition == AttributeCondition.MustNotExist : condition == AttributeCondition.MustExist)
        {
            throw new FileSystemException(exists ? IoFault.Exists : IoFault.NoAttribute);
        }

        if (!exists && value is null)
        {
            return;
        }

        StoredAttribute? attribute = bytes is null ? null : new StoredAttribute(stored, bytes);
        AttributePlan? plan = Plan(body, block, stored, attribute);
        bool liesApart = bytes is { Length: > 0 } && HasValueInodes && (plan is null || AttributeEntry.Align(bytes.Length) > MaxValueInBlock);
        PreparedValue? prepared = liesApart ? await PreparedValue.MakeAsync(inode, bytes!).ConfigureAwait(false) : null;
        try
        {
            plan = prepared is null ? plan : Plan(body, block, stored, prepared.As(stored));
            await ChangeAsync(plan ?? throw NoRoom(), prepared).ConfigureAwait(false);
        }
        finally
        {
            await PreparedValue.ReleaseAsync(prepared).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Before an inode is made: writes a list that it inherits to an inode of its own, if two such lists might not fit one block. Null otherwise.
    /// </summary>
    public static async ValueTask<PreparedValue?> PrepareInheritedAsync(Ext4Inode directory, FileName name, ReadOnlyMemory<byte>? list)
    {
        int most = ((directory.Volume.Geometry.BlockSize - AttributeBlockHeader.Size - AttributeEntry.TerminatorSize) / 2) - AttributeEntry.HeaderSize;
        if (list is null || !directory.ExtendedAttributes.HasValueInodes || !StoredName.TryFrom(name, out StoredName stored))
        {
            return null;
        }

        byte[] bytes = ToStored(stored, list.Value);
        return AttributeEntry.Align(bytes.Length) > most ? await PreparedValue.MakeAsync(directory, bytes).ConfigureAwait(false) : null;
    }

    /// <summary>
    /// Sets an attribute of a new inode, in the handle that makes it: <see cref="CreditsToSet"/>, and <see cref="OrphanRegister.Credits"/> for a value that was
    /// prepared. The caller stores the inode.
    /// </summary>
    public async ValueTask SetAsync(Handle handle, FileName name, ReadOnlyMemory<byte> value, PreparedValue? prepared)
    {
        StoredName stored = RequireSettable(name, value);
        StoredAttribute attribute = prepared?.As(stored) ?? new StoredAttribute(stored, ToStored(stored, value));
        List<StoredAttribute> block = await ReadOptionalBlockAsync().ConfigureAwait(false);
        AttributePlan plan = Plan(ReadBody(), block, stored, attribute) ?? throw NoRoom();
        await ApplyAsync(handle, plan, prepared, new ValueHolders(inode)).ConfigureAwait(false);
    }

    /// <summary>Makes a new inode one whose contents lie in it: its attribute is there, and empty.</summary>
    public void StartInline() => WriteBody([new StoredAttribute(StoredName.InlineContents, [])]);

    /// <summary>Makes the value of system.data so long at least, with zeros; at most <see cref="InlineRoom"/>. The latch of the record is held.</summary>
    public void GrowInlineValue(int length)
    {
        if (InlineValue.Length < length)
        {
            List<StoredAttribute> body = ReadBody();
            KeepInlineRoom(body, length);
            WriteBody(body);
        }
    }

    /// <summary>The second part of inline data goes to blocks: its attribute is removed. The caller stores the inode.</summary>
    public void RemoveInlineValue()
    {
        List<StoredAttribute> body = ReadBody();
        body.RemoveAll(static a => a.Name == StoredName.InlineContents);
        WriteBody(body);
    }

    private StoredName RequireSettable(FileName name, ReadOnlyMemory<byte>? value)
    {
        bool isKnown = StoredName.TryFrom(name, out StoredName stored);
        bool isSettable = stored.IsAcl || stored.Space is AttributeNamespace.User or AttributeNamespace.Trusted or AttributeNamespace.Security;
        if (!isKnown || !isSettable)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{name}: not an attribute that can be set");
        }

        if (stored.Space == AttributeNamespace.User && inode.Kind is not (FileKind.Regular or FileKind.Directory))
        {
            throw new FileSystemException(IoFault.NotPermitted, $"{name}: only regular files and directories have user attributes");
        }

        if (stored.Space == AttributeNamespace.PosixAclDefault && inode.Kind != FileKind.Directory && value is not null)
        {
            throw new FileSystemException(IoFault.AccessDenied, $"{name}: only directories have a default list");
        }

        return value?.Length > MaxValueSize ? throw new FileSystemException(IoFault.ArgumentTooBig, $"{name}: the value is too long") : stored;
    }

    private static byte[] ToStored(StoredName name, ReadOnlyMemory<byte> value)
    {
        if (!name.IsAcl)
        {
            return value.ToArray();
        }

        return PosixAcl.TryToStored(value.Span, out byte[] stored)
            ? stored
            : throw new FileSystemException(IoFault.InvalidArgument, "not a valid access control list");
    }

    private FileSystemException NoRoom() => new(IoFault.NoSpace, $"{inode.Number}: no room for the attribute");

    /// <summary>What a change makes of the attributes: in the record if the new one fits there, else in the block. Null if it fits neither.</summary>
    private AttributePlan? Plan(List<StoredAttribute> body, List<StoredAttribute> block, StoredName name, StoredAttribute? attribute)
    {
        StoredAttribute? inBody = Find(body, name);
        StoredAttribute? inBlock = Find(block, name);
        List<StoredAttribute> newBody = [.. body.Where(a => a != inBody)];
        List<StoredAttribute> newBlock = [.. block.Where(a => a != inBlock)];
        bool goesToBody = false;
        if (attribute is not null)
        {
            int room = Math.Max(inode.Record.AttributeArea.Length - AttributeArea.InodeHeaderSize, 0);
            goesToBody = inode.Record.ExtraSize > 0 && AttributeLayout.Fits([.. newBody, attribute], room, 0);
            (goesToBody ? newBody : newBlock).Add(attribute);
            if (!goesToBody && !AttributeLayout.Fits(newBlock, Volume.Geometry.BlockSize, AttributeBlockHeader.Size))
            {
                return null;
            }
        }

        bool goesToBlock = attribute is not null && !goesToBody;
        return new AttributePlan(newBody, newBlock, inBody is not null || goesToBody, inBlock is not null || goesToBlock, inBody ?? inBlock, inBlock is not null);
    }

    private async ValueTask ChangeAsync(AttributePlan plan, PreparedValue? prepared)
    {
        bool mayLeave = plan.ChangesBlock && inode.Record.AttributeBlock.Value != 0 && !await IsBlockOwnAsync().ConfigureAwait(false);
        IEnumerable<StoredAttribute> staying = mayLeave ? plan.Block.Where(a => a.ValueInode != prepared?.Number) : [];
        await WithHoldersAsync(staying.Append(plan.Removed), holders =>
        {
            int credits = CreditsToSet(Volume) + holders.Count + (2 * OrphanRegister.Credits);
            return inode.Ext4.ChangeAsync(credits, async handle =>
            {
                await ApplyAsync(handle, plan, prepared, holders).ConfigureAwait(false);
                inode.Change(inode.FileSystem.Now, static (ref InodeAttributes a, Timestamp now) => a.ChangeTime = now);
                await inode.StoreAsync(handle).ConfigureAwait(false);
            });
        }).ConfigureAwait(false);
    }

    private async ValueTask ApplyAsync(Handle handle, AttributePlan plan, PreparedValue? prepared, ValueHolders holders)
    {
        bool leavesBlock = plan.ChangesBlock && await WriteBlockAsync(handle, plan.Block, prepared, holders).ConfigureAwait(false);
        if (plan.ChangesBody)
        {
            WriteBody(plan.Body);
        }

        if (prepared is not null)
        {
            await prepared.TakeAsync(handle).ConfigureAwait(false);
            inode.AddSectors(prepared.Sectors);
        }

        if (plan.Removed is { ValueInode: not 0 } removed)
        {
            inode.AddSectors(-holders.SectorsOf(removed));
            if (!plan.WasInBlock || !leavesBlock)
            {
                await holders.DropUserAsync(handle, removed).ConfigureAwait(false);
            }
        }
    }

    /// <summary>What was written to a file and waits in the cache for its place in the inode keeps that place.</summary>
    private void KeepInlineRoom(List<StoredAttribute> body)
    {
        if (inode.HasInlineData && inode.Kind == FileKind.Regular)
        {
            KeepInlineRoom(body, (int)InlineContents.InAttribute((ulong)inode.Size));
        }
    }

    private static void KeepInlineRoom(List<StoredAttribute> body, int length)
    {
        int index = body.FindIndex(static a => a.Name == StoredName.InlineContents);
        if (index >= 0 && body[index].Value.Length < length)
        {
            body[index] = new StoredAttribute(StoredName.InlineContents, new byte[length]);
        }
    }

    private void WriteBody(List<StoredAttribute> attributes)
    {
        lock (inode.Record)
        {
            Span<byte> area = inode.Record.AttributeArea;
            if (area.Length < AttributeArea.InodeHeaderSize)
            {
                return;
            }

            TakeInlineValue(attributes);
            area.Clear();
            if (attributes.Count > 0)
            {
                LittleEndian.U32(area, 0, AttributeArea.Magic);
                AttributeLayout.Write(AttributeArea.WithoutHeader(area), 0, attributes, isBlock: false);
            }

            _isBodyChecked = true;
        }

        inode.MarkAttributesDirty();
    }

    /// <summary>Writeback stores inline contents without the inode lock: what it has put there since the attributes were read counts. Latch held.</summary>
    private void TakeInlineValue(List<StoredAttribute> attributes)
    {
        int index = attributes.FindIndex(static a => a.Name == StoredName.InlineContents);
        if (index >= 0)
        {
            Span<byte> now = InlineValue;
            byte[] value = new byte[Math.Max(now.Length, attributes[index].Value.Length)];
            now.CopyTo(value);
            attributes[index] = new StoredAttribute(StoredName.InlineContents, value);
        }
    }
}
