using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 4: every inode has the names that it counts.</summary>
internal sealed class LinkPass(CheckRun run)
{
    private const int MaxLinks = 65000;
    private const uint RootInode = 2;

    public void Run()
    {
        uint perGroup = run.Geometry.InodesPerGroup;
        for (uint group = 0; group < run.Geometry.GroupCount; group++)
        {
            if (run.Inodes.IsGroupEmpty(group))
            {
                continue;
            }

            for (uint inode = (group * perGroup) + 1; inode - 1 < (group + 1) * perGroup; inode++)
            {
                InodeTraits traits = run.Inodes.TraitsOf(inode);
                bool isNamed = inode == RootInode || inode >= run.Geometry.FirstInode;
                if ((traits & InodeTraits.InUse) != 0 && isNamed && !IsInternal(inode))
                {
                    Judge(inode, traits);
                }
            }
        }

        foreach ((uint inode, ulong stored) in run.Attributes.StoredValues)
        {
            long counted = run.Attributes.ValuesOf(inode);
            if (counted > 0 && (ulong)counted != stored)
            {
                run.Log.Problem("inode", $"inode {inode}", $"it holds a value with {stored} references, expected {counted}");
            }
        }
    }

    private bool IsInternal(uint inode)
    {
        Superblock s = run.Superblock;
        return (run.Has(ReadOnlyCompatFeatures.Quota) && (inode == s.UserQuotaInode || inode == s.GroupQuotaInode || inode == s.ProjectQuotaInode))
            || (run.Has(CompatFeatures.OrphanFile) && inode == s.OrphanFileInode)
            || (run.Has(CompatFeatures.HasJournal) && inode == s.JournalInode);
    }

    private void Judge(uint inode, InodeTraits traits)
    {
        int stored = run.Inodes.LinksOf(inode);
        int counted = run.Inodes.CountedOf(inode);
        if ((traits & InodeTraits.AttributeValue) != 0 && counted == 0)
        {
            counted = run.Attributes.ValuesOf(inode) > 0 ? 1 : 0;
        }

        if (counted == 0)
        {
            run.Log.Problem("inode", $"inode {inode}", "no name leads to it");
            return;
        }

        bool isCountless = (DirectoryFileType)(traits & InodeTraits.KindMask) == DirectoryFileType.Directory && counted > MaxLinks
            && run.Has(ReadOnlyCompatFeatures.DirNlink);
        int expected = isCountless ? 1 : counted;
        if (stored != expected)
        {
            run.Log.Problem("inode", $"inode {inode}", $"i_links_count is {stored}, expected {expected}");
        }
    }
}
