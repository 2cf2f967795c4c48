using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Memory;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// A journal that cannot be used: its inode is taken from the copy in the superblock; if that is no better the journal is given up, and a new one made
/// once everything else is sound. A damaged superblock of a journal is written anew, and its log is empty then.
/// </summary>
internal sealed class JournalRepair(CheckRun run, Repair repair)
{
    private const ushort Mode = 0x8180; // -rw-------
    private const byte BackupOfBlocks = 1; // EXT3_JNL_BACKUP_BLOCKS
    private const uint MostBlocks = 16384;

    /// <summary>Forgets that a log waits.</summary>
    public async ValueTask DropRecoveryAsync()
    {
        run.Superblock.Features = run.Superblock.Features.Without(IncompatFeatures.NeedsRecovery);
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }

    /// <summary>Forgets the journal.</summary>
    public async ValueTask DropAsync()
    {
        Superblock s = run.Superblock;
        if (s.Has(CompatFeatures.HasJournal) && await TryBackupAsync().ConfigureAwait(false))
        {
            return;
        }

        repair.State.HasLostJournal |= s.Has(CompatFeatures.HasJournal);
        s.Features = s.Features.Without(CompatFeatures.HasJournal).Without(IncompatFeatures.NeedsRecovery);
        (s.JournalInode, s.JournalDevice, s.JournalUuid) = (0, 0, Guid.Empty);
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }

    /// <summary>Writes an empty journal's superblock over one that cannot be used.</summary>
    public async ValueTask ResetAsync(ulong first, ulong blocks)
    {
        byte[] block = new byte[run.BlockSize];
        JournalSuperblock made = JournalSuperblock.Create(run.BlockSize, (uint)Math.Min(blocks, uint.MaxValue), run.Superblock.Uuid);
        made.Sequence = FreshSequence();
        made.WriteTo(block);
        await repair.WriteAsync(first, block).ConfigureAwait(false);
        await DropRecoveryAsync().ConfigureAwait(false);
    }

    /// <summary>Makes the journal that was given up.</summary>
    public async ValueTask MakeAsync()
    {
        uint blocks = Math.Min(FirstJournal.DefaultBlocks(run.Geometry.BlockCount), MostBlocks);
        repair.State.HasLostJournal = false;
        if (blocks == 0 || run.Inodes.IsGroupEmpty(0) || run.Has(CompatFeatures.HasJournal))
        {
            return;
        }

        var map = new FileMap(run, repair, FirstJournal.Number);
        byte[] zeros = new byte[run.BlockSize];
        ulong ratio = (ulong)run.Geometry.ClusterRatio;
        for (ulong next = 0; next < blocks; next += ratio)
        {
            if (repair.TakeCluster(0) is not { } cluster)
            {
                return;
            }

            map.Runs.Add(new MapRun(next, cluster, Math.Min(ratio, blocks - next), false));
        }

        for (int i = 0; i < map.Runs.Count; i++)
        {
            for (ulong k = 0; k < map.Runs[i].Count; k++)
            {
                await repair.WriteAsync(map.Runs[i].Volume + k, zeros).ConfigureAwait(false);
            }
        }

        await StoreAsync(map, blocks).ConfigureAwait(false);
    }

    private async ValueTask StoreAsync(FileMap map, uint blocks)
    {
        Superblock s = run.Superblock;
        InodeRecord inode = InodeRecord.Create(run.Geometry.InodeSize, Math.Max(s.WantExtraInodeSize, (ushort)28));
        inode.Flags = run.Has(IncompatFeatures.Extents) ? InodeFlags.Extents : InodeFlags.None;
        if (!await map.StoreAsync(inode, 0).ConfigureAwait(false))
        {
            return;
        }

        (inode.Mode, inode.LinkCount, inode.Size) = (Mode, 1, (ulong)blocks * (ulong)run.BlockSize);
        inode.Accessed = inode.Modified = inode.Changed = repair.Now;
        await repair.WriteInodeAsync(FirstJournal.Number, inode).ConfigureAwait(false);
        byte[] block = new byte[run.BlockSize];
        JournalSuperblock made = JournalSuperblock.Create(run.BlockSize, blocks, s.Uuid);
        made.Sequence = FreshSequence();
        made.WriteTo(block);
        await repair.WriteAsync(map.Runs[0].Volume, block).ConfigureAwait(false);
        repair.Note("journal", $"inode {FirstJournal.Number}", $"a new one of {blocks} blocks takes the place of the one that was given up");
        s.JournalInode = FirstJournal.Number;
        s.JournalBackupType = BackupOfBlocks;
        inode.BlockField.CopyTo(s.JournalBackup);
        U32(s.JournalBackup, InodeRecord.BlockFieldSize, (uint)(inode.Size >> 32));
        U32(s.JournalBackup, InodeRecord.BlockFieldSize + sizeof(uint), (uint)inode.Size);
        s.Features = s.Features.With(CompatFeatures.HasJournal);
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }

    // What stands in the blocks of an old log must not look like the next transactions of the new one.
    private uint FreshSequence() => (uint)repair.Now.Seconds | 1;

    /// <summary>Makes the journal's inode from the superblock's copy of its map, once.</summary>
    private async ValueTask<bool> TryBackupAsync()
    {
        Superblock s = run.Superblock;
        if (repair.State.HasTriedJournalBackup || s.JournalBackupType != BackupOfBlocks || !s.JournalBackup[..InodeRecord.BlockFieldSize].ContainsAnyExcept((byte)0))
        {
            return false;
        }

        repair.State.HasTriedJournalBackup = true;
        InodeRecord inode = InodeRecord.Create(run.Geometry.InodeSize, Math.Max(s.WantExtraInodeSize, (ushort)28));
        s.JournalBackup[..InodeRecord.BlockFieldSize].CopyTo(inode.BlockField);
        inode.Flags = ExtentWalk.IsHeader(inode.BlockField) ? InodeFlags.Extents : InodeFlags.None;
        (inode.Mode, inode.LinkCount) = (Mode, 1);
        inode.Size = ((ulong)U32(s.JournalBackup, InodeRecord.BlockFieldSize) << 32) | U32(s.JournalBackup, InodeRecord.BlockFieldSize + sizeof(uint));
        ulong blocks = inode.Size / (ulong)run.BlockSize;
        ulong? first = await JournalCheck.FindFirstAsync(run, inode, FirstJournal.Number, blocks).ConfigureAwait(false);
        using AlignedBuffer block = run.Store.Allocate(1);
        bool isJournal = first is not null && await run.Store.ReadAsync(first.Value, 1, block.Segment).ConfigureAwait(false)
            && JournalCheck.FindFault(block.GetSpan(), run.BlockSize, blocks) is null;
        if (!isJournal)
        {
            return false;
        }

        bool isPossible = s.JournalInode >= run.Geometry.FirstInode && s.JournalInode <= run.Geometry.InodeCount;
        s.JournalInode = isPossible ? s.JournalInode : FirstJournal.Number;
        await repair.WriteInodeAsync(s.JournalInode, inode).ConfigureAwait(false);
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
        return true;
    }
}
