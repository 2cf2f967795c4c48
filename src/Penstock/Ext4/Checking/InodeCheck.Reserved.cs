using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;

namespace Penstock.Ext4.Checking;

/// <summary>The inodes that no name leads to: bad blocks, journal, quotas, resize, orphan file.</summary>
internal sealed partial class InodeCheck
{
    private bool IsSpecial(uint inode)
    {
        Superblock s = run.Superblock;
        bool isQuota = run.Has(ReadOnlyCompatFeatures.Quota)
            && (inode == s.UserQuotaInode || inode == s.GroupQuotaInode || inode == s.ProjectQuotaInode);

        // A journal that is no reserved inode was made in a file that has a name, and is checked as one.
        bool isJournal = run.Has(CompatFeatures.HasJournal) && inode == s.JournalInode && inode < run.Geometry.FirstInode;
        bool isOrphanFile = run.Has(CompatFeatures.OrphanFile) && inode == s.OrphanFileInode;
        return inode != RootInode && (isQuota || isJournal || isOrphanFile);
    }

    private async ValueTask CheckReservedAsync()
    {
        run.Inodes.Set(number, InodeTraits.InUse | InodeTraits.Bad, record.LinkCount);
        tally.Start();
        switch (number)
        {
            case BadBlocksInode:
                CheckBadBlocksFields();
                await CheckPlainMapAsync().ConfigureAwait(false);
                break;
            case ResizeInodeLayout.Number:
                if (run.Has(CompatFeatures.ResizeInode))
                {
                    await CheckResizeMapAsync().ConfigureAwait(false);
                }
                else if (record.BlockField.ContainsAnyExcept((byte)0)
                    && Mends("there is no feature resize_inode, and the resize inode has blocks"))
                {
                    isRemoved = true;
                }

                break;
            default:
                await CheckInternalFileAsync().ConfigureAwait(false);
                break;
        }
    }

    /// <summary>The map of the resize inode, whose layout has been judged: a repair makes it anew rather than mend it.</summary>
    private async ValueTask CheckResizeMapAsync()
    {
        if (!record.IsRegular && record.Mode != 0)
        {
            isBad = run.Mends("inode", $"inode {number}", $"it is reserved, and i_mode is 0x{record.Mode:x}");
        }
        else if (record.Is(InodeFlags.Extents))
        {
            isBad = run.Mends("inode", $"inode {number}", "the resize inode has extents");
        }
        else if (record.Mode != 0)
        {
            tally.IsResizeInode = true;
            await indirect.RunAsync(record, number).ConfigureAwait(false);
            isBad = indirect.Faults.HasAny && run.Repair is not null && run.Mends("inode", $"inode {number}", "the resize inode leads to blocks that are not there");
        }

        if (isBad)
        {
            isBad = false;
            await ResizeInodeCheck.GiveUpAsync(run, record).ConfigureAwait(false);
            return;
        }

        if (record.Mode != 0)
        {
            await CheckSizeAsync().ConfigureAwait(false);
        }

        CheckBlockCount();
    }

    private void CheckBadBlocksFields()
    {
        bool isPlain = record.Mode == 0 && record.Uid == 0 && record.Gid == 0 && record.LinkCount == 0 && record.AttributeBlock.Value == 0
            && (record.Flags & ~InodeFlags.Extents) == 0;
        if (!isPlain && Mends("the inode of bad blocks looks invalid"))
        {
            record.Bytes.Clear();
        }

        if (record.Is(InodeFlags.Extents) && Mends("the inode of bad blocks has extents"))
        {
            record.Bytes.Clear();
        }
    }

    private async ValueTask CheckPlainMapAsync()
    {
        await WalkIndirectAsync().ConfigureAwait(false);
        if (number == BadBlocksInode && tally.HitsMetadata && Mends("bad blocks lie on the volume's own structures"))
        {
            await DropMetadataAsync().ConfigureAwait(false);
        }

        CheckBlockCount();
    }

    /// <summary>Takes the volume's own blocks off the list of bad ones: they are in use, and can be read.</summary>
    private async ValueTask DropMetadataAsync()
    {
        var map = new FileMap(run, run.Repair!, number);
        map.Take([.. runs.SelectMany(Split).Where(r => !run.Metadata.Contains(r.Volume))], [.. mapBlocks.Where(b => !run.Metadata.Contains(b))]);
        await map.StoreAsync(record, 0).ConfigureAwait(false);

        static IEnumerable<MapRun> Split(MapRun r)
        {
            for (ulong i = 0; i < r.Count; i++)
            {
                yield return new MapRun(r.File + i, r.Volume + i, 1, false);
            }
        }
    }

    private async ValueTask CheckInternalFileAsync()
    {
        bool isSpecial = IsSpecial(number);
        if (number == JournalInodeNumber && !isSpecial && record.LinkCount != 0 && !run.Has(CompatFeatures.HasJournal)
            && Mends("there is no journal, and the journal's inode is in use"))
        {
            isRemoved = true;
            return;
        }

        if (record.Mode == 0 && !record.BlockField.ContainsAnyExcept((byte)0))
        {
            CheckBlockCount();
            return;
        }

        if (!record.IsRegular && record.Mode != 0 && Mends($"it is reserved, and i_mode is 0x{record.Mode:x}"))
        {
            record.Bytes.Clear();
            return;
        }

        if (isSpecial && record.LinkCount == 0 && number >= run.Geometry.FirstInode && Mends("it is in use by the volume, and i_links_count is 0"))
        {
            record.LinkCount = 1;
        }

        CheckCommon();
        await CheckContentsAsync().ConfigureAwait(false);
    }
}
