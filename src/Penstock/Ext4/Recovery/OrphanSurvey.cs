using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>Which inodes stand on a volume's register of orphans, list and file; nothing is changed.</summary>
internal sealed class OrphanSurvey(Ext4FileSystem fileSystem)
{
    private Ext4Volume Volume => fileSystem.Volume;

    /// <exception cref="CorruptVolumeException">The register is damaged.</exception>
    public async ValueTask<HashSet<uint>> ReadAsync()
    {
        var found = new HashSet<uint>();
        for (uint number = Volume.Superblock.LastOrphan; number != 0;)
        {
            if (!Volume.Geometry.Contains(new InodeNumber(number)) || !found.Add(number))
            {
                throw new CorruptVolumeException("orphan list", new InodeNumber(number).ToString(), "i_dtime", "no inode, or one that stands there twice");
            }

            MetadataBlock block = await Volume.Cache.GetAsync(await fileSystem.FindTableBlockAsync(new InodeNumber(number)).ConfigureAwait(false))
                .ConfigureAwait(false);
            int offset = Volume.Geometry.Locate(new InodeNumber(number)).OffsetInBlock;
            number = InodeRecord.Read(block.Bytes.Slice(offset, Volume.Geometry.InodeSize)).DeletionTime;
            block.Unpin();
        }

        if (Volume.Superblock.Has(CompatFeatures.OrphanFile) && Volume.Superblock.Has(ReadOnlyCompatFeatures.OrphanPresent))
        {
            OrphanFile file = await OrphanFile.OpenAsync(fileSystem).ConfigureAwait(false);
            await foreach (uint number in file.ReadAsync().ConfigureAwait(false))
            {
                found.Add(number);
            }
        }

        return found;
    }
}
