using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>Which inodes stand on a volume's register of orphans, list and file, before anybody settles them.</summary>
internal sealed class OrphanSurvey
{
    private readonly Ext4FileSystem _fileSystem;
    private readonly List<uint> _list = [];
    private readonly HashSet<uint> _all = [];
    private OrphanFile? _file;

    private OrphanSurvey(Ext4FileSystem fileSystem) => _fileSystem = fileSystem;

    private Ext4Volume Volume => _fileSystem.Volume;

    /// <summary>Reads the register.</summary>
    /// <exception cref="CorruptVolumeException">It is damaged.</exception>
    public static async ValueTask<OrphanSurvey> ReadAsync(Ext4FileSystem fileSystem)
    {
        var survey = new OrphanSurvey(fileSystem);
        await survey.ReadListAsync().ConfigureAwait(false);
        Superblock superblock = fileSystem.Volume.Superblock;
        if (superblock.Has(CompatFeatures.OrphanFile) && superblock.Has(ReadOnlyCompatFeatures.OrphanPresent))
        {
            survey._file = await OrphanFile.OpenAsync(fileSystem).ConfigureAwait(false);
            await foreach (uint number in survey._file.ReadAsync().ConfigureAwait(false))
            {
                survey._all.Add(number);
            }
        }

        return survey;
    }

    /// <summary>Whether an inode is registered.</summary>
    public bool Contains(uint number) => _all.Contains(number);

    /// <summary>Takes inodes off the register that are others now, or gone. Their records are the caller's business.</summary>
    public async ValueTask RemoveAsync(IReadOnlySet<uint> gone)
    {
        if (!_all.Overlaps(gone))
        {
            return;
        }

        uint next = 0;
        foreach (uint number in _list.Where(n => !gone.Contains(n)).Reverse())
        {
            await SetNextAsync(number, next).ConfigureAwait(false);
            next = number;
        }

        Volume.Superblock.LastOrphan = next;
        foreach (uint number in _all.Except(_list).Where(gone.Contains).Order())
        {
            int slot = _file!.MarkOf(new InodeNumber(number)).Slot;
            await _fileSystem.ChangeAsync(1, handle => _file.RemoveAsync(handle, slot)).ConfigureAwait(false);
        }
    }

    private async ValueTask ReadListAsync()
    {
        for (uint number = Volume.Superblock.LastOrphan; number != 0;)
        {
            if (!Volume.Geometry.Contains(new InodeNumber(number)) || !_all.Add(number))
            {
                throw new CorruptVolumeException("orphan list", new InodeNumber(number).ToString(), "i_dtime", "no inode, or one that stands there twice");
            }

            _list.Add(number);
            MetadataBlock block = await GetAsync(number).ConfigureAwait(false);
            number = InodeRecord.Read(RecordIn(block.Bytes, number)).DeletionTime;
            block.Unpin();
        }
    }

    private ValueTask SetNextAsync(uint number, uint next) => _fileSystem.ChangeAsync(1, async handle =>
    {
        MetadataBlock block = await GetAsync(number).ConfigureAwait(false);
        InodeRecord record = InodeRecord.Read(RecordIn(block.Bytes, number));
        record.DeletionTime = next;
        using (BlockEdit edit = handle.Edit(block))
        {
            int offset = Volume.Geometry.Locate(new InodeNumber(number)).OffsetInBlock;
            record.WriteTo(edit.Bytes.Slice(offset, record.InodeSize), new InodeNumber(number), Volume.Checksum);
        }

        block.Unpin();
    });

    private async ValueTask<MetadataBlock> GetAsync(uint number) =>
        await Volume.Cache.GetAsync(await _fileSystem.FindTableBlockAsync(new InodeNumber(number)).ConfigureAwait(false)).ConfigureAwait(false);

    private ReadOnlySpan<byte> RecordIn(ReadOnlySpan<byte> block, uint number) =>
        block.Slice(Volume.Geometry.Locate(new InodeNumber(number)).OffsetInBlock, Volume.Geometry.InodeSize);
}
