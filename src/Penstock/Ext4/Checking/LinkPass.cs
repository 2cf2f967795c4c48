using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 4: every inode has the names that it counts.</summary>
internal sealed class LinkPass(CheckRun run)
{
    private const int MaxLinks = 65000;
    private const uint RootInode = 2;

    public async ValueTask RunAsync()
    {
        uint perGroup = run.Geometry.InodesPerGroup;
        for (uint group = 0; group < run.Geometry.GroupCount; group++)
        {
            if (run.Inodes.IsGroupEmpty(group) || run.Repair is { IsFull: true })
            {
                continue;
            }

            for (uint inode = (group * perGroup) + 1; inode - 1 < (group + 1) * perGroup; inode++)
            {
                InodeTraits traits = run.Inodes.TraitsOf(inode);
                bool isNamed = inode == RootInode || inode >= run.Geometry.FirstInode;
                if ((traits & InodeTraits.InUse) != 0 && isNamed && !IsInternal(inode))
                {
                    await JudgeAsync(inode, traits).ConfigureAwait(false);
                }
            }
        }

        foreach ((uint inode, ulong stored) in run.Attributes.StoredValues)
        {
            long counted = run.Attributes.ValuesOf(inode);
            if (counted > 0 && (ulong)counted != stored
                && run.Mends("inode", $"inode {inode}", $"it holds a value with {stored} references, expected {counted}"))
            {
                await ChangeAsync(inode, record => AttributeValueInode.WriteReferenceCount(record, (ulong)counted)).ConfigureAwait(false);
            }
        }
    }

    private bool IsInternal(uint inode)
    {
        Superblock s = run.Superblock;
        return (run.Has(ReadOnlyCompatFeatures.Quota) && (inode == s.UserQuotaInode || inode == s.GroupQuotaInode || inode == s.ProjectQuotaInode))
            || (run.Has(CompatFeatures.OrphanFile) && inode == s.OrphanFileInode);
    }

    /// <summary>Gives an inode a name in lost+found; one that holds nothing is removed, and so is the value of an attribute that is no more.</summary>
    private async ValueTask ConnectAsync(uint inode, InodeTraits traits)
    {
        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(inode).ConfigureAwait(false) is not { } record)
        {
            return;
        }

        bool isEmpty = record.IsRegular && record.Size == 0 && record.GetAllocatedBytes(run.BlockSize) == 0;
        if (isEmpty || (traits & InodeTraits.AttributeValue) != 0)
        {
            await run.Repair!.RemoveInodeAsync(inode, record).ConfigureAwait(false);
        }
        else
        {
            await run.Repair!.LostAndFound.ConnectAsync(inode).ConfigureAwait(false);
        }
    }

    private async ValueTask ChangeAsync(uint inode, Action<InodeRecord> change)
    {
        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(inode).ConfigureAwait(false) is { } record)
        {
            change(record);
            await run.Repair!.WriteInodeAsync(inode, record).ConfigureAwait(false);
        }
    }

    private async ValueTask JudgeAsync(uint inode, InodeTraits traits)
    {
        int stored = run.Inodes.LinksOf(inode);
        int counted = run.Inodes.CountedOf(inode);
        if ((traits & InodeTraits.AttributeValue) != 0 && counted == 0)
        {
            counted = run.Attributes.ValuesOf(inode) > 0 ? 1 : 0;
        }

        if (counted == 0)
        {
            if (run.Mends("inode", $"inode {inode}", "no name leads to it"))
            {
                await ConnectAsync(inode, traits).ConfigureAwait(false);
            }

            return;
        }

        bool isCountless = (DirectoryFileType)(traits & InodeTraits.KindMask) == DirectoryFileType.Directory && counted > MaxLinks
            && run.Has(ReadOnlyCompatFeatures.DirNlink);
        int expected = isCountless ? 1 : counted;
        if (stored != expected && run.Mends("inode", $"inode {inode}", $"i_links_count is {stored}, expected {expected}"))
        {
            await ChangeAsync(inode, record => record.LinkCount = (ushort)Math.Min(expected, ushort.MaxValue)).ConfigureAwait(false);
        }
    }
}
