using Penstock.Ext4.Format;
using Penstock.Ext4.Recovery;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>What the file system does for its journal.</content>
internal sealed partial class Ext4FileSystem : IJournalClient
{
    /// <summary>How many inodes with changed attributes one commit stores; the rest wait for the next, or for a sync.</summary>
    private const int InodesPerCommit = 64;

    public int CreditsBeforeCommit => 1 + InodesPerCommit;

    public ValueTask BeforeFirstChangeAsync() => _keeper.MarkAsync(Journal is LogJournal);

    public void FreedBlocksCommitted(VolumeBlock first, ulong count) => Volume.Blocks.FreedBlocksCommitted(first, count);

    public async ValueTask BeforeCommitAsync(Handle handle)
    {
        foreach (Inode inode in Inodes.ListDirty(InodesPerCommit))
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }

        await _keeper.StoreAsync(handle).ConfigureAwait(false);
    }

    /// <summary>Gives a journal with a log its blocks: those of the journal's inode, or of the device that the volume has for it.</summary>
    /// <exception cref="CorruptVolumeException">The inode or the journal in it is damaged, or the device is another volume's.</exception>
    private async ValueTask AttachLogAsync(LogJournal journal, Devices.BlockDevice? external)
    {
        LogArea area = await JournalFinder.OpenAsync(this, external).ConfigureAwait(false);
        journal.Attach(area, Volume.Superblock.Has(ReadOnlyCompatFeatures.MetadataCsum), Volume.Superblock.Has(IncompatFeatures.Is64Bit));
    }

    /// <summary>Runs one atomic change with <paramref name="credits"/>, and ends its handle whatever happens.</summary>
    internal async ValueTask ChangeAsync(int credits, Func<Handle, ValueTask> change)
    {
        Handle handle = await Journal.BeginAsync(credits).ConfigureAwait(false);
        try
        {
            await change(handle).ConfigureAwait(false);
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <summary>Stores the superblock with a change, in a handle: one credit.</summary>
    internal ValueTask ChangeSuperblockAsync(Handle handle, Action<Superblock> change) => _keeper.PutAsync(handle, change);
}
