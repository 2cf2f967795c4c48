using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>The inodes that no name leads to: bad blocks, journal, quotas, resize, orphan file.</summary>
internal sealed partial class InodeCheck
{
    private bool IsSpecial(uint inode)
    {
        Superblock s = run.Superblock;
        bool isQuota = run.Has(ReadOnlyCompatFeatures.Quota)
            && (inode == s.UserQuotaInode || inode == s.GroupQuotaInode || inode == s.ProjectQuotaInode);
        bool isJournal = run.Has(CompatFeatures.HasJournal) && inode == s.JournalInode;
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
            case ResizeInodeNumber:
                tally.MayHoldMetadata = true;
                if (run.Has(CompatFeatures.ResizeInode))
                {
                    await CheckPlainMapAsync().ConfigureAwait(false);
                }
                else
                {
                    Require(!record.BlockField.ContainsAnyExcept((byte)0), "there is no feature resize_inode, and the resize inode has blocks");
                }

                break;
            default:
                await CheckInternalFileAsync().ConfigureAwait(false);
                break;
        }
    }

    private void CheckBadBlocksFields()
    {
        bool isPlain = record.Mode == 0 && record.Uid == 0 && record.Gid == 0 && record.LinkCount == 0 && record.AttributeBlock.Value == 0
            && (record.Flags & ~InodeFlags.Extents) == 0;
        Require(isPlain, "the inode of bad blocks looks invalid");
        Require(!record.Is(InodeFlags.Extents), "the inode of bad blocks has extents");
    }

    private async ValueTask CheckPlainMapAsync()
    {
        await indirect.RunAsync(record, number).ConfigureAwait(false);
        Require(number != BadBlocksInode || !tally.HitsMetadata, "bad blocks lie on the volume's own structures");
        CheckBlockCount();
    }

    private async ValueTask CheckInternalFileAsync()
    {
        bool isSpecial = IsSpecial(number);
        if (number == JournalInodeNumber && !isSpecial)
        {
            Require(record.LinkCount == 0 || run.Has(CompatFeatures.HasJournal), "there is no journal, and the journal's inode is in use");
        }

        if (record.Mode == 0 && !record.BlockField.ContainsAnyExcept((byte)0))
        {
            CheckBlockCount();
            return;
        }

        Require(record.IsRegular || record.Mode == 0, $"it is reserved, and i_mode is 0x{record.Mode:x}");
        if (isSpecial && record.LinkCount == 0 && number >= run.Geometry.FirstInode)
        {
            Report("it is in use by the volume, and i_links_count is 0");
        }

        CheckCommon();
        await CheckContentsAsync().ConfigureAwait(false);
    }
}
