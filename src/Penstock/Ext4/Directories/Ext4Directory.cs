using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Directories;

/// <summary>
/// The names of one directory, in whichever of its forms it has: inline in the inode, blocks one after the other, or blocks under a hash tree.
/// The directory's lock is held by the caller: shared for reading, exclusively for changes.
/// </summary>
internal sealed class Ext4Directory
{
    private readonly DirectoryFile _file;
    private readonly HashTree _tree;
    private readonly HashTreeGrowth _growth;
    private readonly InlineDirectory _inline;

    public Ext4Directory(Ext4Inode inode)
    {
        Inode = inode;
        _file = new DirectoryFile(inode);
        _tree = new HashTree(_file);
        _growth = new HashTreeGrowth(_file, _tree);
        _inline = new InlineDirectory(inode, _file.Format);
    }

    public Ext4Inode Inode { get; }

    /// <summary>Whether names are found through the hash tree. A tree whose hash we cannot compute is read as blocks one after the other.</summary>
    public bool IsIndexed => Inode.Is(InodeFlags.Index) && HasIndexFeature && Rule == CaseRule.Exact && !Inode.Is(InodeFlags.Encrypted);

    /// <summary>How many credits adding a name can take: a split at every level, and a level more.</summary>
    public int CreditsToAdd
    {
        get
        {
            int levels = DxRoot.MaxIndirectLevels(_file.Volume.Superblock.Has(IncompatFeatures.LargeDir)) + 2;
            return (levels * (_file.CreditsToAppend + 2)) + 2;
        }
    }

    /// <summary>How many credits removing or redirecting a name, or setting the parent, can take.</summary>
    public static int CreditsToChange => 2;

    private bool HasIndexFeature => _file.Volume.Superblock.Has(CompatFeatures.DirIndex);

    private CaseRule Rule => Inode.Is(InodeFlags.CaseFold) ? CaseRule.Folded : CaseRule.Exact;

    /// <summary>The inode that a name leads to, or none; "." and ".." too.</summary>
    public ValueTask<InodeNumber> LookupAsync(FileName name) =>
        TryLookup(name.Bytes, out InodeNumber known) ? new ValueTask<InodeNumber>(known)
        : !name.IsDotOrDotDot ? LookAsync(name)
        : name.Length == 1 ? new ValueTask<InodeNumber>(Inode.Number)
        : GetParentAsync();

    /// <summary>What a name leads to, or none, if the cache of names knows it; it never knows "." and "..".</summary>
    public bool TryLookup(ReadOnlySpan<byte> name, out InodeNumber number) => Inode.FileSystem.NameCache.TryFind(Inode, name, out number);

    /// <summary>Adds a name, which is not there yet. Costs <see cref="CreditsToAdd"/>; the inode is to be stored in the same handle.</summary>
    public async ValueTask AddAsync(Handle handle, FileName name, InodeNumber number, FileKind kind)
    {
        Forget(name);
        await AddEntryAsync(handle, new NewEntry(name, checked((uint)number.Value), TypeOf(kind))).ConfigureAwait(false);
        Remember(name, number);
    }

    /// <summary>Removes a name, which is there.</summary>
    public async ValueTask RemoveAsync(Handle handle, FileName name)
    {
        Forget(name);
        await ChangeAsync(handle, name, static (bytes, found, _) => EntryBlock.Remove(bytes, found), default).ConfigureAwait(false);
        Remember(name, default);
    }

    /// <summary>Makes a name, which is there, lead to another inode.</summary>
    public async ValueTask RedirectAsync(Handle handle, FileName name, InodeNumber number, FileKind kind)
    {
        Forget(name);
        await ChangeAsync(
            handle,
            name,
            static (bytes, found, what) =>
            {
                DirectoryEntry.WriteInode(bytes, found.Offset, what.Inode);
                DirectoryEntry.WriteFileType(bytes, found.Offset, what.Type);
            },
            new NewEntry(name, checked((uint)number.Value), TypeOf(kind))).ConfigureAwait(false);
        Remember(name, number);
    }

    /// <summary>Makes ".." lead to another directory.</summary>
    public async ValueTask SetParentAsync(Handle handle, InodeNumber parent)
    {
        if (Inode.HasInlineData)
        {
            _inline.SetParent(handle, checked((uint)parent.Value));
            return;
        }

        MetadataBlock block = await GetFirstAsync().ConfigureAwait(false);
        try
        {
            int offset = FindParent(block);
            using BlockEdit edit = handle.Edit(block);
            DirectoryEntry.WriteInode(edit.Bytes, offset, checked((uint)parent.Value));
            SealFirst(edit.Bytes);
        }
        finally
        {
            block.Unpin();
        }
    }

    /// <summary>Gives a new directory its first block, with "." and "..", or its start in the inode.</summary>
    public async ValueTask StartAsync(Handle handle, InodeNumber parent)
    {
        if (Inode.HasInlineData)
        {
            _inline.Start(handle, checked((uint)parent.Value));
            return;
        }

        (MetadataBlock block, _) = await _file.AppendAsync(handle).ConfigureAwait(false);
        using (BlockEdit edit = handle.Edit(block))
        {
            WriteStart(edit.Bytes, checked((uint)parent.Value));
            _file.Seal(edit.Bytes);
        }

        block.Unpin();
    }

    /// <summary>How many credits <see cref="StartAsync"/> takes.</summary>
    public int CreditsToStart => _file.CreditsToAppend + 1;

    public async ValueTask<bool> IsEmptyAsync()
    {
        if (Inode.HasInlineData)
        {
            return _inline.IsEmpty;
        }

        uint count = _file.Count;
        for (uint index = 0; index < count; index++)
        {
            bool isRoot = index == 0 && IsIndexed;
            if (isRoot)
            {
                // Block 0 holds nothing but "." and "..", behind which the index hides.
                continue;
            }

            MetadataBlock? block = await TryGetLeafAsync(index).ConfigureAwait(false);
            bool isEmpty = block is null || EntryBlock.IsEmpty(block.Bytes[.._file.UsableBytes]);
            block?.Unpin();
            if (!isEmpty)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Tells <paramref name="sink"/> of the entries from <paramref name="position"/> on.</summary>
    public async ValueTask ReadAsync(ulong position, IDirectorySink sink)
    {
        // One block may become a tree while somebody reads, so where there can be a tree its order is used from the start.
        bool isShort = Inode.HasInlineData || Inode.Size == _file.BlockSize;
        bool isHashable = HasIndexFeature && Rule == CaseRule.Exact && !Inode.Is(InodeFlags.Encrypted);
        if (isHashable && (isShort || IsIndexed))
        {
            await new HashOrderReader(this, _file, _tree, _inline).ReadAsync(position, sink).ConfigureAwait(false);
        }
        else
        {
            await new BlockOrderReader(this, _file, _inline).ReadAsync(position, sink).ConfigureAwait(false);
        }
    }

    /// <summary>The directory above.</summary>
    public async ValueTask<InodeNumber> GetParentAsync()
    {
        if (Inode.HasInlineData)
        {
            return new InodeNumber(_inline.Parent);
        }

        MetadataBlock block = await GetFirstAsync().ConfigureAwait(false);
        try
        {
            return new InodeNumber(DirectoryEntry.Read(block.Bytes, FindParent(block)).Inode);
        }
        finally
        {
            block.Unpin();
        }
    }

    /// <summary>The block at a place, pinned; null if it is one of the index, which has no entries.</summary>
    public async ValueTask<MetadataBlock?> TryGetLeafAsync(uint index)
    {
        if (!Inode.Is(InodeFlags.Index) || index == 0)
        {
            return index == 0 ? await GetFirstAsync().ConfigureAwait(false) : await _file.GetLeafAsync(index).ConfigureAwait(false);
        }

        // Of an indexed directory whose tree is not used: its inner blocks look like one free entry, but end with no tail.
        try
        {
            return await _file.GetLeafAsync(index).ConfigureAwait(false);
        }
        catch (CorruptVolumeException)
        {
            (await _file.GetNodeAsync(index).ConfigureAwait(false)).Unpin();
            return null;
        }
    }

    private async ValueTask<InodeNumber> LookAsync(FileName name)
    {
        InodeNumber number = default;
        if (Inode.HasInlineData)
        {
            number = new InodeNumber(_inline.Find(name.Bytes, Rule)?.Entry.Inode ?? 0);
        }
        else if (await FindAsync(name).ConfigureAwait(false) is { } site)
        {
            site.Block.Unpin();
            number = new InodeNumber(site.Found.Entry.Inode);
        }

        Remember(name, number);
        return number;
    }

    /// <summary>A folded directory has many spellings of one name, and a change of one would leave the others behind: nothing is remembered of it.</summary>
    private void Remember(FileName name, InodeNumber number)
    {
        if (Rule == CaseRule.Exact)
        {
            Inode.FileSystem.NameCache.Put(Inode, name.Bytes, number);
        }
    }

    private void Forget(FileName name)
    {
        if (!Inode.FileSystem.Scheduler.IsBroken(Execution.Rule.ChangedNamesAreForgotten))
        {
            Inode.FileSystem.NameCache.Forget(Inode, name.Bytes);
        }
    }

    private async ValueTask AddEntryAsync(Handle handle, NewEntry what)
    {
        if (Inode.HasInlineData)
        {
            if (_inline.TryAdd(handle, what))
            {
                return;
            }

            await UnfoldAsync(handle).ConfigureAwait(false);
        }

        if (IsIndexed)
        {
            await AddIndexedAsync(handle, what).ConfigureAwait(false);
        }
        else
        {
            await AddLinearAsync(handle, what).ConfigureAwait(false);
        }
    }

    private DirectoryFileType TypeOf(FileKind kind) => _file.Format.HasFileType ? EntryKind.ToType(kind) : DirectoryFileType.Unknown;

    /// <summary>Block 0: judged as the root of a tree or as a block with entries, whichever it is; pinned.</summary>
    private async ValueTask<MetadataBlock> GetFirstAsync() =>
        Inode.Is(InodeFlags.Index) && HasIndexFeature
            ? (await _file.GetRootAsync().ConfigureAwait(false)).Block
            : await _file.GetLeafAsync(0).ConfigureAwait(false);

    private void SealFirst(Span<byte> bytes)
    {
        if (Inode.Is(InodeFlags.Index) && HasIndexFeature)
        {
            _file.SealIndex(bytes, DxRoot.EntriesOffset);
        }
        else
        {
            _file.Seal(bytes);
        }
    }

    private int FindParent(MetadataBlock block)
    {
        DirectoryEntry self = DirectoryEntry.Read(block.Bytes, 0);
        if (self.End <= _file.UsableBytes - DirectoryEntry.LengthFor(2))
        {
            DirectoryEntry parent = DirectoryEntry.Read(block.Bytes, self.End);
            if (self.NameIn(block.Bytes).SequenceEqual("."u8) && parent.NameIn(block.Bytes).SequenceEqual(".."u8)
                && parent.Inode > 0 && parent.Inode <= _file.Format.InodeCount)
            {
                return parent.Offset;
            }
        }

        throw new CorruptVolumeException("directory block", _file.LocationOf(block).ToString(), "name", "not \".\" and \"..\" at its start");
    }

    private void WriteStart(Span<byte> bytes, uint parent)
    {
        DirectoryFileType type = TypeOf(FileKind.Directory);
        int selfLength = DirectoryEntry.LengthFor(1);
        DirectoryBlock.Clear(bytes, _file.Format);
        DirectoryEntry.Write(bytes, 0, checked((uint)Inode.Number.Value), selfLength, "."u8, type);
        DirectoryEntry.Write(bytes, selfLength, parent, _file.UsableBytes - selfLength, ".."u8, type);
    }

    private ValueTask<EntrySite?> FindAsync(FileName name) => IsIndexed ? FindIndexedAsync(name) : FindLinearAsync(name);

    private async ValueTask<EntrySite?> FindIndexedAsync(FileName name)
    {
        uint hash = 0;
        using HashPath path = await _tree.ProbeAsync(root => hash = _tree.HashOf(name.Bytes, root.HashVersion).Major).ConfigureAwait(false);
        uint? boundary;
        do
        {
            MetadataBlock leaf = await _tree.GetLeafAsync(path).ConfigureAwait(false);
            if (EntryBlock.Find(leaf.Bytes[.._file.UsableBytes], name.Bytes) is { } found)
            {
                return new EntrySite(leaf, found);
            }

            leaf.Unpin();
            boundary = HashTree.PeekNext(path);
            if (!HashTree.IsContinued(boundary, hash))
            {
                return null;
            }
        }
        while (await _tree.AdvanceAsync(path).ConfigureAwait(false) is not null);
        return null;
    }

    private async ValueTask<EntrySite?> FindLinearAsync(FileName name)
    {
        const uint Ahead = 8;
        uint count = _file.Count;
        for (uint index = 0; index < count; index++)
        {
            if (index % Ahead == 0 && count > 1)
            {
                _file.Prefetch(index, Math.Min(Ahead, count - index));
            }

            if (await TryGetLeafAsync(index).ConfigureAwait(false) is not { } leaf)
            {
                continue;
            }

            if (EntryBlock.Find(leaf.Bytes[.._file.UsableBytes], name.Bytes, Rule) is { } found)
            {
                return new EntrySite(leaf, found);
            }

            leaf.Unpin();
        }

        return null;
    }

    private async ValueTask ChangeAsync(Handle handle, FileName name, EntryChange change, NewEntry what)
    {
        if (Inode.HasInlineData)
        {
            _inline.Change(handle, name.Bytes, change, what);
            return;
        }

        EntrySite site = await FindAsync(name).ConfigureAwait(false)
            ?? throw new FileSystemException(IoFault.NotFound, $"{name}: {IoFault.NotFound.Describe()}");
        try
        {
            using BlockEdit edit = handle.Edit(site.Block);
            change(edit.Bytes[.._file.UsableBytes], site.Found, what);
            _file.Seal(edit.Bytes);
        }
        finally
        {
            site.Block.Unpin();
        }
    }

    private async ValueTask AddIndexedAsync(Handle handle, NewEntry what)
    {
        while (true)
        {
            using HashPath path = await _tree.ProbeAsync(root => _tree.HashOf(what.Name.Bytes, root.HashVersion).Major).ConfigureAwait(false);
            MetadataBlock leaf = await _tree.GetLeafAsync(path).ConfigureAwait(false);
            bool isAdded = TryAddTo(handle, leaf, what);
            leaf.Unpin();
            if (isAdded)
            {
                return;
            }

            await _growth.StepAsync(handle, path, what.Name.Length).ConfigureAwait(false);
        }
    }

    private async ValueTask AddLinearAsync(Handle handle, NewEntry what)
    {
        uint count = _file.Count;
        for (uint index = 0; index < count; index++)
        {
            MetadataBlock leaf = await _file.GetLeafAsync(index).ConfigureAwait(false);
            try
            {
                if (TryAddTo(handle, leaf, what))
                {
                    return;
                }

                if (count == 1 && HasIndexFeature)
                {
                    await _growth.PlantAsync(handle, leaf).ConfigureAwait(false);
                    break;
                }
            }
            finally
            {
                leaf.Unpin();
            }
        }

        if (IsIndexed)
        {
            await AddIndexedAsync(handle, what).ConfigureAwait(false);
            return;
        }

        (MetadataBlock block, _) = await _file.AppendAsync(handle).ConfigureAwait(false);
        using (BlockEdit edit = handle.Edit(block))
        {
            DirectoryBlock.Clear(edit.Bytes, _file.Format);
            EntryBlock.TryAdd(edit.Bytes[.._file.UsableBytes], what.Name.Bytes, what.Inode, what.Type);
            _file.Seal(edit.Bytes);
        }

        block.Unpin();
    }

    private bool TryAddTo(Handle handle, MetadataBlock leaf, NewEntry what)
    {
        if (!EntryBlock.HasRoom(leaf.Bytes[.._file.UsableBytes], what.Name.Length))
        {
            return false;
        }

        using BlockEdit edit = handle.Edit(leaf);
        EntryBlock.TryAdd(edit.Bytes[.._file.UsableBytes], what.Name.Bytes, what.Inode, what.Type);
        _file.Seal(edit.Bytes);
        return true;
    }

    /// <summary>Moves an inline directory to a block.</summary>
    private async ValueTask UnfoldAsync(Handle handle)
    {
        uint parent = _inline.Parent;
        byte[] contents = _inline.ReadAll();
        await Inode.LeaveInlineAsync(handle, async () =>
        {
            Inode.Size = 0;
            (MetadataBlock block, _) = await _file.AppendAsync(handle).ConfigureAwait(false);
            using (BlockEdit edit = handle.Edit(block))
            {
                WriteStart(edit.Bytes, parent);
                _inline.CopyEntries(contents, edit.Bytes[.._file.UsableBytes]);
                _file.Seal(edit.Bytes);
            }

            block.Unpin();
        }).ConfigureAwait(false);
    }

    private readonly record struct EntrySite(MetadataBlock Block, FoundEntry Found);
}

/// <summary>A change of one entry in place.</summary>
internal delegate void EntryChange(Span<byte> bytes, FoundEntry found, NewEntry what);

/// <summary>What a new or redirected entry says.</summary>
internal readonly record struct NewEntry(FileName Name, uint Inode, DirectoryFileType Type);
