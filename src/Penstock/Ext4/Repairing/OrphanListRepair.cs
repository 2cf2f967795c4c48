using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// The list of orphans that begins in the superblock: an inode without a name is removed, one with a name is cut back to its size, and the list
/// is empty then. A list that leads astray is left where it does; what it held is found by the other passes.
/// </summary>
internal sealed class OrphanListRepair(CheckRun run, Repair repair)
{
    public async ValueTask RunAsync()
    {
        uint next = run.Superblock.LastOrphan;
        if (next == 0)
        {
            return;
        }

        using var peek = new InodePeek(run);
        var seen = new HashSet<uint>();
        while (next != 0 && IsPossible(next) && seen.Add(next))
        {
            InodeRecord? inode = await peek.ReadAsync(next).ConfigureAwait(false);
            if (inode is null)
            {
                break;
            }

            uint following = inode.DeletionTime;
            if (!IsOrphan(inode))
            {
                break;
            }

            await ReleaseAsync(next, inode).ConfigureAwait(false);
            next = following;
        }

        repair.Note("superblock", "offset 1024", $"s_last_orphan is {run.Superblock.LastOrphan}");
        run.Superblock.LastOrphan = 0;
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }

    /// <summary>Ends what the orphan file names, if it can be one.</summary>
    public async ValueTask ReleaseIfOrphanAsync(uint number)
    {
        using var peek = new InodePeek(run);
        if (number != 0 && IsPossible(number) && await peek.ReadAsync(number).ConfigureAwait(false) is { } inode && IsOrphan(inode))
        {
            await ReleaseAsync(number, inode).ConfigureAwait(false);
        }
    }

    /// <summary>Ends an orphan: it is known to be one.</summary>
    public async ValueTask ReleaseAsync(uint number, InodeRecord inode)
    {
        if (inode.LinkCount == 0)
        {
            repair.Note("inode", $"inode {number}", "it is an orphan without a name");
            await repair.RemoveInodeAsync(number, inode).ConfigureAwait(false);
            return;
        }

        repair.Note("inode", $"inode {number}", "it is an orphan with a name, to be cut back to its size");
        await new FileCut(run, repair).RunAsync(number, inode).ConfigureAwait(false);
        inode.DeletionTime = 0;
        await repair.WriteInodeAsync(number, inode).ConfigureAwait(false);
    }

    private bool IsPossible(uint number) => number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount;

    private static bool IsOrphan(InodeRecord inode) => inode.Mode != 0 && (inode.IsRegular || inode.IsDirectory || inode.IsSymbolicLink || inode.LinkCount == 0);
}
