using System.Globalization;
using System.Text;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Directories;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>The directory for what has lost its name, and the root, made where they are missing. Used by one activity.</summary>
internal sealed class LostAndFound(CheckRun run, Repair repair)
{
    public const uint RootInode = 2;
    private const ushort RootMode = 0x41ED; // drwxr-xr-x
    private const ushort LostMode = 0x41C0; // drwx------

    private uint _found;

    private static ReadOnlySpan<byte> Name => "lost+found"u8;

    /// <summary>Gives an inode the name "#N" in lost+found.</summary>
    /// <returns>The number of lost+found; 0 if it could not be done.</returns>
    public async ValueTask<uint> ConnectAsync(uint inode)
    {
        if (_found == 0)
        {
            _found = await FindAsync().ConfigureAwait(false);
        }

        byte[] name = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"#{inode}"));
        bool isAdded = _found != 0 && await repair.Directories.AddAsync(_found, new SavedName(inode, default, name)).ConfigureAwait(false);
        return isAdded ? _found : 0;
    }

    /// <summary>Makes a root directory with nothing in it.</summary>
    public async ValueTask<bool> MakeRootAsync() => await MakeDirectoryAsync(RootInode, RootInode, RootMode).ConfigureAwait(false);

    private async ValueTask<uint> FindAsync()
    {
        if (run.Directories.Find(RootInode) is not { Places: { } places })
        {
            return 0;
        }

        using AlignedBuffer block = run.Store.Allocate(1);
        int end = run.BlockSize - (run.Checksum.IsUsed ? DirectoryTail.Size : 0);
        foreach (DirectoryPlace place in places)
        {
            if (!await run.Store.ReadAsync(place.Volume, 1, block.Segment).ConfigureAwait(false)
                || !DirectorySalvage.IsWhole(block.GetSpan(), end, 0) || EntryBlock.Find(block.GetSpan()[..end], Name) is not { Entry: var entry })
            {
                continue;
            }

            if (run.Directories.Find(entry.Inode) is { Places: not null })
            {
                return entry.Inode;
            }

            await UnlinkAsync(place.Volume, block, entry).ConfigureAwait(false);
            break;
        }

        return await MakeAsync().ConfigureAwait(false);
    }

    /// <summary>A name that leads to something else than a directory of blocks is no lost+found: what it led to will be found there.</summary>
    private async ValueTask UnlinkAsync(ulong place, AlignedBuffer block, DirectoryEntry entry)
    {
        repair.Note("directory", $"inode {RootInode}", $"lost+found leads to inode {entry.Inode}, which is no directory that can grow");
        DirectoryEntry.WriteInode(block.GetSpan(), entry.Offset, 0);
        if (run.Checksum.IsUsed)
        {
            uint seed = await repair.SeedOfAsync(RootInode).ConfigureAwait(false);
            DirectoryTail.Write(block.GetSpan(), seed);
        }

        await repair.WriteAsync(place, block.Segment).ConfigureAwait(false);
    }

    private async ValueTask<uint> MakeAsync()
    {
        uint number = TakeInode();
        if (number == 0 || !await MakeDirectoryAsync(number, RootInode, LostMode).ConfigureAwait(false))
        {
            return 0;
        }

        repair.Note("directory", $"inode {RootInode}", "there is no lost+found");
        run.Inodes.Set(number, InodeTraits.InUse | (InodeTraits)DirectoryFileType.Directory, 2);
        return await repair.Directories.AddAsync(RootInode, new SavedName(number, default, Name.ToArray())).ConfigureAwait(false) ? number : 0;
    }

    private uint TakeInode()
    {
        for (uint number = run.Geometry.FirstInode; number <= run.Geometry.InodeCount; number++)
        {
            if (!run.Inodes.IsUsed(number))
            {
                return number;
            }
        }

        return 0;
    }

    private async ValueTask<bool> MakeDirectoryAsync(uint number, uint parent, ushort mode)
    {
        if (repair.TakeCluster(0) is not { } place)
        {
            return false;
        }

        InodeRecord inode = InodeRecord.Create(run.Geometry.InodeSize, Math.Max(run.Superblock.WantExtraInodeSize, (ushort)28));
        (inode.Mode, inode.LinkCount) = (mode, 2);
        inode.Accessed = inode.Modified = inode.Changed = repair.Now;
        inode.Born = repair.Now;
        inode.Flags = run.Has(IncompatFeatures.Extents) ? InodeFlags.Extents : InodeFlags.None;
        inode.Size = (ulong)run.BlockSize;
        var map = new FileMap(run, repair, number);
        map.Runs.Add(new MapRun(0, place, 1, false));
        await map.StoreAsync(inode, 0).ConfigureAwait(false);
        await WriteFirstBlockAsync(number, parent, place, inode.Generation).ConfigureAwait(false);
        await repair.Directories.WidenNowAsync((number - 1) / run.Geometry.InodesPerGroup).ConfigureAwait(false);
        await repair.WriteInodeAsync(number, inode).ConfigureAwait(false);
        return true;
    }

    /// <summary>Writes the first block of a directory with nothing in it.</summary>
    public async ValueTask WriteFirstBlockAsync(uint number, uint parent, ulong place, uint generation)
    {
        byte[] block = new byte[run.BlockSize];
        int end = block.Length - (run.Checksum.IsUsed ? DirectoryTail.Size : 0);
        DirectoryFileType kind = run.Has(IncompatFeatures.FileType) ? DirectoryFileType.Directory : DirectoryFileType.Unknown;
        DirectoryEntry.Write(block, 0, number, 12, "."u8, kind);
        DirectoryEntry.Write(block, 12, parent, end - 12, ".."u8, kind);
        if (run.Checksum.IsUsed)
        {
            DirectoryTail.Write(block, run.Checksum.SeedOf(new InodeNumber(number), generation));
        }

        await repair.WriteAsync(place, block).ConfigureAwait(false);
    }
}
