using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>
/// The inodes that recovery must free or cut back: without a name, but open; or being truncated or extended. They stand in the orphan file, where
/// the volume has one with room, else in a list that starts at s_last_orphan and goes on through i_dtime.
/// </summary>
internal sealed class OrphanRegister
{
    /// <summary>Superblock or a block of the orphan file, the inode, and the inode before it in the list.</summary>
    public const int Credits = 3;

    private readonly Ext4FileSystem _fileSystem;
    private readonly SharedLock _lock;

    /// <summary>The list as on the volume: first the one that s_last_orphan names. Guarded by the lock.</summary>
    private readonly LinkedList<Ext4Inode> _list = [];
    private OrphanFile? _file;

    public OrphanRegister(Ext4FileSystem fileSystem)
    {
        _fileSystem = fileSystem;
        _lock = new SharedLock(fileSystem.Scheduler, LockRank.Orphans);
    }

    /// <summary>Whether nothing is registered. For closing, when nobody changes it any more.</summary>
    public bool IsEmpty => _list.Count == 0 && _file is null or { Count: 0 };

    private Superblock Superblock => _fileSystem.Volume.Superblock;

    /// <summary>On opening for writing: frees or cuts back what an earlier user of the volume left, as Linux does on a mount.</summary>
    /// <exception cref="CorruptVolumeException">The list is damaged.</exception>
    public async ValueTask OpenAsync()
    {
        if (_fileSystem.IsReadOnly)
        {
            return;
        }

        if (Superblock.Has(CompatFeatures.OrphanFile))
        {
            _file = await OrphanFile.OpenAsync(_fileSystem).ConfigureAwait(false);
        }

        List<Ext4Inode> left = await ReadListAsync().ConfigureAwait(false);
        if (_file is not null && Superblock.Has(ReadOnlyCompatFeatures.OrphanPresent))
        {
            await foreach (uint number in _file.ReadAsync().ConfigureAwait(false))
            {
                left.Add(await LoadAsync(number).ConfigureAwait(false));
            }
        }

        foreach (Ext4Inode inode in left)
        {
            await SettleAsync(inode).ConfigureAwait(false);
        }
    }

    /// <summary>Registers an inode and stores it: <see cref="Credits"/>. One that is registered already only is stored.</summary>
    public async ValueTask AddAsync(Handle handle, Ext4Inode inode)
    {
        await _lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (inode.Orphan is null)
            {
                // The inode's block is in the transaction before the register is: what cannot be stored is not registered.
                await inode.StoreAsync(handle).ConfigureAwait(false);
                inode.Orphan = _file is null ? null : await _file.TryAddAsync(handle, inode.Number).ConfigureAwait(false);
                if (inode.Orphan is not null)
                {
                    // The inode itself does not say so.
                    return;
                }

                await AddToListAsync(handle, inode).ConfigureAwait(false);
            }

            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            _lock.ReleaseExclusive();
        }
    }

    /// <summary>Takes an inode off the register and stores it: <see cref="Credits"/>.</summary>
    public async ValueTask RemoveAsync(Handle handle, Ext4Inode inode)
    {
        await _lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (inode.Orphan is { } mark)
            {
                // As above: what cannot be stored stays registered, and so does what the list cannot be closed around. In the list the time of deletion leads to the next one,
                // and is kept for so long.
                inode.Record.DeletionTime = mark.Node is null ? 0 : inode.Record.DeletionTime;
                await inode.StoreAsync(handle).ConfigureAwait(false);
                if (mark.Node?.Previous?.Value is { } before)
                {
                    await before.StoreAsync(handle).ConfigureAwait(false);
                }

                inode.Orphan = null;
                if (mark.Node is not { } node)
                {
                    await _file!.RemoveAsync(handle, mark.Slot).ConfigureAwait(false);
                    return;
                }

                inode.Record.DeletionTime = 0;
                await RemoveFromListAsync(handle, node).ConfigureAwait(false);
            }

            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            _lock.ReleaseExclusive();
        }
    }

    private async ValueTask AddToListAsync(Handle handle, Ext4Inode inode)
    {
        inode.Record.DeletionTime = (uint)(_list.First?.Value.Number.Value ?? 0);
        inode.Orphan = new OrphanMark(_list.AddFirst(inode), 0);
        await _fileSystem.ChangeSuperblockAsync(handle, s => s.LastOrphan = (uint)inode.Number.Value).ConfigureAwait(false);
    }

    private async ValueTask RemoveFromListAsync(Handle handle, LinkedListNode<Ext4Inode> node)
    {
        uint next = (uint)(node.Next?.Value.Number.Value ?? 0);
        Ext4Inode? before = node.Previous?.Value;
        _list.Remove(node);
        if (before is null)
        {
            await _fileSystem.ChangeSuperblockAsync(handle, s => s.LastOrphan = next).ConfigureAwait(false);
        }
        else
        {
            before.Record.DeletionTime = next;
            await before.StoreAsync(handle).ConfigureAwait(false);
        }
    }

    private async ValueTask<List<Ext4Inode>> ReadListAsync()
    {
        var left = new List<Ext4Inode>();
        var seen = new HashSet<uint>();
        for (uint number = Superblock.LastOrphan; number != 0;)
        {
            if (!seen.Add(number))
            {
                throw new CorruptVolumeException("orphan list", new InodeNumber(number).ToString(), "i_dtime", "a list that goes in a circle");
            }

            Ext4Inode inode = await LoadAsync(number).ConfigureAwait(false);
            inode.Orphan = new OrphanMark(_list.AddLast(inode), 0);
            left.Add(inode);
            number = inode.Record.DeletionTime;
        }

        return left;
    }

    private async ValueTask<Ext4Inode> LoadAsync(uint number)
    {
        if (number < _fileSystem.Volume.Geometry.FirstInode)
        {
            throw new CorruptVolumeException("orphan list", $"inode {number}", "inode", $"{number}, a reserved one");
        }

        var inode = (Ext4Inode)await _fileSystem.LoadAsync(new InodeNumber(number), InodePurpose.Internal).ConfigureAwait(false);
        _fileSystem.Inodes.AddNew(inode);
        return inode;
    }

    private async ValueTask SettleAsync(Ext4Inode inode)
    {
        inode.Orphan ??= _file!.MarkOf(inode.Number);
        if (inode.Attributes.Links != 0)
        {
            await inode.TruncateBlocksAsync(inode.Size).ConfigureAwait(false);
        }

        await _fileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
    }
}

/// <summary>Where an inode is registered: a node of the list, or else a slot of the orphan file.</summary>
internal sealed record OrphanMark(LinkedListNode<Ext4Inode>? Node, int Slot);
