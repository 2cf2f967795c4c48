using Penstock.Devices;
using Penstock.Ext4.Extents;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>
/// Applies fast commits to a volume, in memory: what comes out are the blocks that differ then. Inodes first, so that names lead somewhere; names; maps;
/// in the end what lost its last name goes.
/// </summary>
/// <remarks>
/// Rules: (1) blocks and inodes that are told of are claimed before anything is allocated: a directory that grows must not take them;
/// (2) a block that goes from one file and comes to another ends as in use, whatever the order; (3) nothing is written but to memory.
/// </remarks>
internal sealed class FastCommitReplay
{
    private readonly Ext4FileSystem _fileSystem;
    private readonly FastCommitPlan _plan;
    private readonly Dictionary<uint, Ext4Inode> _loaded = [];
    private readonly HashSet<uint> _dead = [];
    private readonly HashSet<uint> _new = [];
    private readonly Dictionary<uint, InodeKind> _kindsBefore = [];
    private readonly HashSet<uint> _replaced = [];
    private OrphanSurvey _orphans = null!;

    /// <summary>The latest change that a record tells of: about when the fast commits were written.</summary>
    private Timestamp _latest;

    private FastCommitReplay(Ext4FileSystem fileSystem, FastCommitPlan plan)
    {
        _fileSystem = fileSystem;
        _plan = plan;
    }

    private Ext4Volume Volume => _fileSystem.Volume;

    /// <summary>The blocks of the volume as they are with the fast commits applied, as far as they differ.</summary>
    /// <param name="device">The volume with its log replayed, or laid over it. Only read.</param>
    /// <param name="pages">The page cache of whoever opens it.</param>
    /// <param name="tags">The fast commits.</param>
    /// <exception cref="FileSystemException">They do not fit what is on the volume.</exception>
    public static async ValueTask<SortedDictionary<ulong, byte[]>> RunAsync(BlockDevice device, Caching.PageCache pages, IReadOnlyList<FastCommitTag> tags)
    {
        var held = new HeldWritesDevice(device);
        byte[] raw = await SuperblockKeeper.ReadAsync(held).ConfigureAwait(false);
        (Superblock before, Superblock working) = (Superblock.Parse(raw), Superblock.Parse(raw));
        Ext4FileSystem fileSystem = Ext4FileSystem.OpenForReplay(held, pages, working);
        await using (fileSystem.ConfigureAwait(false))
        {
            await new FastCommitReplay(fileSystem, new FastCommitPlan(tags)).ApplyAsync().ConfigureAwait(false);
        }

        // It was opened and closed here only: the superblock stays as it was, but for what is free.
        (before.FreeBlockCount, before.FreeInodeCount, before.LastOrphan) = (working.FreeBlockCount, working.FreeInodeCount, working.LastOrphan);
        await SuperblockKeeper.WriteAsync(held, before).ConfigureAwait(false);
        return await held.ListChangesAsync(before.BlockSize).ConfigureAwait(false);
    }

    private async ValueTask ApplyAsync()
    {
        _orphans = await OrphanSurvey.ReadAsync(_fileSystem).ConfigureAwait(false);
        foreach (FastCommitInode inode in _plan.Inodes.Values)
        {
            await ClaimAsync(inode).ConfigureAwait(false);
        }

        await _orphans.RemoveAsync(_replaced).ConfigureAwait(false);
        foreach (FastCommitInode inode in _plan.Inodes.Values.Where(i => !_dead.Contains((uint)i.Number.Value) && i.Record is not null))
        {
            await PutRecordAsync(inode).ConfigureAwait(false);
        }

        foreach (uint directory in _new.Where(n => _plan.Inodes[n].Kind == InodeKind.Directory).Order())
        {
            await StartDirectoryAsync(await LoadAsync(directory).ConfigureAwait(false), _plan.Inodes[directory].Parent).ConfigureAwait(false);
        }

        foreach ((uint directory, FileName name, uint inode) in _plan.Names.Where(n => !_dead.Contains(n.Directory)))
        {
            await PutNameAsync(await LoadAsync(directory).ConfigureAwait(false), name, inode).ConfigureAwait(false);
        }

        foreach (FastCommitInode inode in _plan.Inodes.Values)
        {
            await FinishAsync(inode).ConfigureAwait(false);
        }

        // Rule 2: another file may have given a block away after it was claimed.
        foreach (FastCommitInode inode in _plan.Inodes.Values.Where(i => i.Ranges.Count > 0 && !_dead.Contains((uint)i.Number.Value)))
        {
            await ClaimMappedAsync(inode).ConfigureAwait(false);
        }
    }

    /// <summary>Judges whether an inode lives, frees what an earlier one of its number had, and claims what the fast commits say is its.</summary>
    private async ValueTask ClaimAsync(FastCommitInode told)
    {
        uint number = (uint)told.Number.Value;
        if (!Volume.Geometry.Contains(told.Number) || (number < Volume.Geometry.FirstInode && number != Ext4FileSystem.RootInode))
        {
            throw Damaged(told.Number, "fc_ino", "one that no fast commit tells of");
        }

        InodeRecord record = await ReadRecordAsync(told.Number).ConfigureAwait(false);
        bool isThere = record.Mode != 0 && (record.LinkCount != 0 || _orphans.Contains(number)) && await IsInUseAsync(told.Number).ConfigureAwait(false);
        bool isNew = told.IsMade || !isThere;
        _kindsBefore[number] = record.Kind;
        bool isDirectory = (isNew && told.Record is not null ? told.Kind : record.Kind) == InodeKind.Directory;
        bool lives = told.LinksAfter(record.LinkCount) > 0 && !(isDirectory && told.LinkDelta < 0) && (!isNew || told.Record is not null);
        if (!lives)
        {
            _dead.Add(number);
        }

        if (isNew && isThere)
        {
            await EmptyAsync(told, record, isDirectory).ConfigureAwait(false);
        }

        if (isNew && lives)
        {
            _new.Add(number);
            await ChangeAsync(
                Volume.Inodes.CreditsToClaim,
                async handle => await Volume.Inodes.ClaimAsync(handle, told.Number, isDirectory).ConfigureAwait(false)).ConfigureAwait(false);
        }

        if (lives)
        {
            await ClaimBlocksAsync(told.Ranges).ConfigureAwait(false);
        }
    }

    /// <summary>The number belongs to another inode now, and the one that had it is gone; what it had is free.</summary>
    private async ValueTask EmptyAsync(FastCommitInode told, InodeRecord record, bool willBeDirectory)
    {
        Ext4Inode old = await LoadAsync((uint)told.Number.Value).ConfigureAwait(false);
        _replaced.Add((uint)told.Number.Value);
        if (record.IsDirectory != willBeDirectory)
        {
            // The group counts its directories: the number is freed, and taken again as what it will be.
            await old.DeleteAsync().ConfigureAwait(false);
        }
        else
        {
            if (old.Ext4Mapper is { } mapper)
            {
                await mapper.RemoveAsync(default, mapper.MaxBlocks).ConfigureAwait(false);
            }

            await old.ExtendedAttributes.ReleaseAllAsync().ConfigureAwait(false);
        }

        Forget((uint)told.Number.Value);
    }

    private async ValueTask PutRecordAsync(FastCommitInode told)
    {
        uint number = (uint)told.Number.Value;
        bool isNew = _new.Contains(number);
        if (!isNew)
        {
            await LeaveInlineAsync(told).ConfigureAwait(false);
        }

        InodeRecord record = await ReadRecordAsync(told.Number).ConfigureAwait(false);
        if (isNew)
        {
            record = FastCommitRecord.Make(told, record.InodeSize);
        }
        else
        {
            FastCommitRecord.Merge(told, record);
            record.DeletionTime = _orphans.Contains(number) ? record.DeletionTime : 0;
        }

        // Of a directory that is new, its subdirectories are counted as their names come.
        record.LinkCount = isNew && record.IsDirectory ? (ushort)2 : (ushort)told.LinksAfter(record.LinkCount);
        await WriteRecordAsync(told.Number, record).ConfigureAwait(false);
        _latest = _latest.CompareTo(record.Changed) < 0 ? record.Changed : _latest;
        Forget(number);
    }

    /// <summary>What lay in the inode of a file has moved to blocks.</summary>
    private async ValueTask LeaveInlineAsync(FastCommitInode told)
    {
        Ext4Inode inode = await LoadAsync((uint)told.Number.Value).ConfigureAwait(false);
        var flags = (InodeFlags)LittleEndian.U32(told.Record!.Value.Span, FlagsOffset);
        if (inode.Kind == FileKind.Regular && inode.HasInlineData && (flags & InodeFlags.InlineContents) == 0)
        {
            await ChangeAsync(1, async handle =>
            {
                await inode.LeaveInlineAsync(handle, static () => ValueTask.CompletedTask).ConfigureAwait(false);
                await inode.StoreAsync(handle).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }
    }

    private ValueTask StartDirectoryAsync(Ext4Inode directory, uint parent) =>
        directory.HasInlineData ? ValueTask.CompletedTask : ChangeAsync(directory.Directory.CreditsToStart + 1, async handle =>
        {
            await directory.Directory.StartAsync(handle, new InodeNumber(parent)).ConfigureAwait(false);
            await directory.StoreAsync(handle).ConfigureAwait(false);
        });

    private async ValueTask PutNameAsync(Ext4Inode directory, FileName name, uint target)
    {
        if (directory.Kind != FileKind.Directory || directory.Is(InodeFlags.CaseFold | InodeFlags.Encrypted))
        {
            throw Damaged(directory.Number, "fc_parent_ino", "no directory that can be changed");
        }

        var now = (uint)(await directory.Directory.LookupAsync(name).ConfigureAwait(false)).Value;
        Ext4Inode? inode = target == 0 ? null : await LoadAsync(target).ConfigureAwait(false);
        bool isTold = now == target && !(directory.HasInlineData && _new.Contains((uint)directory.Number.Value));
        if (isTold)
        {
            return;
        }

        await ChangeAsync(directory.Directory.CreditsToAdd + 1, async handle =>
        {
            // A new directory with its contents in the inode came with its names.
            if (now != target)
            {
                await PutEntryAsync(handle, directory.Directory, name, isThere: now != 0, inode).ConfigureAwait(false);
            }

            NoteNames(directory, now == target ? 0 : now, inode);
            await directory.StoreAsync(handle).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private static ValueTask PutEntryAsync(Handle handle, Directories.Ext4Directory directory, FileName name, bool isThere, Ext4Inode? inode) =>
        inode is null ? directory.RemoveAsync(handle, name)
        : isThere ? directory.RedirectAsync(handle, name, inode.Number, inode.Kind)
        : directory.AddAsync(handle, name, inode.Number, inode.Kind);

    /// <summary>
    /// Fast commits have no record of a directory whose names change, unless it is new: its times and subdirectories follow from what is told of the names.
    /// </summary>
    private void NoteNames(Ext4Inode directory, uint before, Ext4Inode? after)
    {
        uint number = (uint)directory.Number.Value;
        bool isNew = _new.Contains(number);
        if (!isNew && _plan.Inodes.TryGetValue(number, out FastCommitInode? told) && told.Record is not null)
        {
            return;
        }

        if (before != 0 && _kindsBefore.GetValueOrDefault(before) == InodeKind.Directory)
        {
            LinkCounts.LoseSubdirectory(directory);
        }

        if (after?.Kind == FileKind.Directory)
        {
            LinkCounts.GainSubdirectory(directory);
        }

        Timestamp time = after?.Attributes.ChangeTime ?? _latest;
        if (!isNew && directory.Attributes.ModifyTime.CompareTo(time) < 0)
        {
            directory.Change(time, static (ref InodeAttributes a, Timestamp t) => (a.ModifyTime, a.ChangeTime) = (t, t));
        }
    }

    /// <summary>Brings the map of an inode to its end, or frees the inode.</summary>
    private async ValueTask FinishAsync(FastCommitInode told)
    {
        uint number = (uint)told.Number.Value;
        if (_dead.Contains(number) && !await IsInUseAsync(told.Number).ConfigureAwait(false))
        {
            return;
        }

        Ext4Inode inode = await LoadAsync(number).ConfigureAwait(false);
        if (_dead.Contains(number))
        {
            await EndAsync(inode).ConfigureAwait(false);
            return;
        }

        await PutRangesAsync(inode, told.Ranges).ConfigureAwait(false);
        if (told.Record is null && told.LinkDelta != 0)
        {
            inode.Change(told.LinkDelta, static (ref InodeAttributes a, int delta) => a.Links = (uint)(a.Links + delta));
            await ChangeAsync(1, inode.StoreAsync).ConfigureAwait(false);
        }
    }

    /// <summary>Frees an inode without names; one that stands among the orphans is left to whoever settles those.</summary>
    private async ValueTask EndAsync(Ext4Inode inode)
    {
        inode.Change(static (ref InodeAttributes a) => a.Links = 0);
        if (_orphans.Contains((uint)inode.Number.Value) && !_replaced.Contains((uint)inode.Number.Value))
        {
            await ChangeAsync(1, inode.StoreAsync).ConfigureAwait(false);
            return;
        }

        await inode.DeleteAsync().ConfigureAwait(false);
        _loaded.Remove((uint)inode.Number.Value);
    }

    private async ValueTask PutRangesAsync(Ext4Inode inode, IReadOnlyList<BlockRun> ranges)
    {
        if (ranges.Count == 0)
        {
            return;
        }

        await ClaimBlocksAsync(ranges).ConfigureAwait(false);
        var mapper = inode.Ext4Mapper as ExtentMapper ?? throw Damaged(inode.Number, "fc_ino", "of a file without extents, whose map it changes");
        foreach (BlockRun range in ranges)
        {
            if (range.IsAllocated)
            {
                await new FastCommitRange(_fileSystem, mapper).PutAsync(range).ConfigureAwait(false);
            }
            else
            {
                await mapper.RemoveAsync(range.First, range.Count).ConfigureAwait(false);
            }
        }

        await ChangeAsync(1, inode.StoreAsync).ConfigureAwait(false);
    }

    private async ValueTask ClaimMappedAsync(FastCommitInode told)
    {
        BlockMapper mapper = (await LoadAsync((uint)told.Number.Value).ConfigureAwait(false)).RequireMapper();
        foreach (BlockRun range in told.Ranges.Where(r => r.IsAllocated))
        {
            for (ulong next = range.First.Value; next < range.End.Value;)
            {
                BlockRun run = await mapper.MapAsync(new FileBlock(next), range.End.Value - next).ConfigureAwait(false);
                await ClaimBlocksAsync([run]).ConfigureAwait(false);
                next = run.End.Value;
            }
        }
    }

    private async ValueTask ClaimBlocksAsync(IEnumerable<BlockRun> ranges)
    {
        foreach (BlockRun range in ranges.Where(r => r.IsAllocated))
        {
            await ChangeAsync(Volume.Blocks.CreditsToFree(range.Count), handle => Volume.Blocks.ClaimAsync(handle, range.Volume, range.Count))
                .ConfigureAwait(false);
        }
    }

    private async ValueTask<Ext4Inode> LoadAsync(uint number)
    {
        if (!_loaded.TryGetValue(number, out Ext4Inode? inode))
        {
            inode = (Ext4Inode)await _fileSystem.LoadAsync(new InodeNumber(number), InodePurpose.Internal).ConfigureAwait(false);
            _loaded.Add(number, inode);
        }

        return inode;
    }

    /// <summary>Another takes its place, from what is on the volume now: this one is never stored again.</summary>
    private void Forget(uint number)
    {
        if (_loaded.Remove(number, out Ext4Inode? inode))
        {
            inode.Retire();
        }
    }

    private async ValueTask<bool> IsInUseAsync(InodeNumber number)
    {
        InodeLocation location = Volume.Geometry.Locate(number);
        return await Volume.Inodes.IsInUseAsync(location).ConfigureAwait(false);
    }

    private async ValueTask<InodeRecord> ReadRecordAsync(InodeNumber number)
    {
        MetadataBlock block = await Volume.Cache.GetAsync(await _fileSystem.FindTableBlockAsync(number).ConfigureAwait(false)).ConfigureAwait(false);
        InodeRecord record = InodeRecord.Read(block.Bytes.Slice(Volume.Geometry.Locate(number).OffsetInBlock, Volume.Geometry.InodeSize));
        block.Unpin();
        return record;
    }

    private ValueTask WriteRecordAsync(InodeNumber number, InodeRecord record) => ChangeAsync(1, async handle =>
    {
        MetadataBlock block = await Volume.Cache.GetAsync(await _fileSystem.FindTableBlockAsync(number).ConfigureAwait(false)).ConfigureAwait(false);
        using (BlockEdit edit = handle.Edit(block))
        {
            record.WriteTo(edit.Bytes.Slice(Volume.Geometry.Locate(number).OffsetInBlock, record.InodeSize), number, Volume.Checksum);
        }

        block.Unpin();
    });

    private ValueTask ChangeAsync(int credits, Func<Handle, ValueTask> change) => _fileSystem.ChangeAsync(credits, change);

    private static CorruptVolumeException Damaged(InodeNumber number, string field, string found) =>
        new("fast commit", number.ToString(), field, found);

    private const int FlagsOffset = 0x20;
}
