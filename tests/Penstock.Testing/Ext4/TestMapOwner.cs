using Penstock.Ext4;
using Penstock.Ext4.Extents;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Testing.Ext4;

/// <summary>An inode as a block mapper sees it, stored in its place of the inode table.</summary>
internal sealed class TestMapOwner : IBlockMapOwner
{
    private readonly Ext4Volume _volume;
    private readonly InodeRecord _record;

    /// <summary>A new inode with an empty map.</summary>
    public TestMapOwner(Ext4Volume volume, ulong number, bool hasExtents = true, bool isDirectory = false)
        : this(volume, number, InodeRecord.Create(volume.Geometry.InodeSize), isDirectory)
    {
        _record.Mode = 0x8180;
        _record.LinkCount = 1;
        _record.Generation = (uint)number * 77;
        if (hasExtents)
        {
            _record.Flags = InodeFlags.Extents;
            ExtentMapper.Initialise(_record.BlockField);
        }
    }

    private TestMapOwner(Ext4Volume volume, ulong number, InodeRecord record, bool isDirectory)
    {
        _volume = volume;
        _record = record;
        Number = new InodeNumber(number);
        HasMetadataContent = isDirectory;
    }

    public InodeNumber Number { get; }

    public bool HasWriters { get; set; } = true;

    public bool HasExtents => _record.Is(InodeFlags.Extents);

    public uint Generation => _record.Generation;

    public bool HasMetadataContent { get; }

    public ReadOnlySpan<byte> BlockField => _record.BlockField;

    /// <summary>The bytes of i_block, for a test that damages them.</summary>
    public Span<byte> RawBlockField => _record.BlockField;

    public void SetBlockField(ReadOnlySpan<byte> field) => field.CopyTo(_record.BlockField);

    public long Size
    {
        get => (long)_record.Size;
        set => _record.Size = (ulong)value;
    }

    public long Sectors { get; private set; }

    /// <summary>Reads an inode from the volume.</summary>
    public static async Task<TestMapOwner> LoadAsync(Ext4Volume volume, ulong number)
    {
        InodeLocation location = volume.Geometry.Locate(new InodeNumber(number));
        MetadataBlock block = await LoadBlockAsync(volume, location);
        InodeRecord record = InodeRecord.Parse(
            block.Bytes.Slice(location.OffsetInBlock, volume.Geometry.InodeSize), new InodeNumber(number), volume.Geometry, volume.Checksum);
        block.Unpin();
        return new TestMapOwner(volume, number, record, record.IsDirectory)
        {
            Sectors = (long)record.GetAllocatedBytes(volume.Geometry.BlockSize) / 512,
        };
    }

    /// <summary>The same inode on the volume opened again.</summary>
    public TestMapOwner On(Ext4Volume volume) => new(volume, Number.Value, _record, HasMetadataContent) { Sectors = Sectors };

    public void AddSectors(long delta) => Sectors += delta;

    public async ValueTask StoreAsync(Handle handle)
    {
        InodeLocation location = _volume.Geometry.Locate(Number);
        MetadataBlock block = await LoadBlockAsync(_volume, location);
        using (BlockEdit edit = handle.Edit(block))
        {
            _record.TrySetAllocatedBytes((ulong)Math.Max(Sectors, 0) * 512, _volume.Geometry.BlockSize, hasHugeFile: true);
            _record.WriteTo(edit.Bytes.Slice(location.OffsetInBlock, _volume.Geometry.InodeSize), Number, _volume.Checksum);
        }

        block.Unpin();
    }

    private static async ValueTask<MetadataBlock> LoadBlockAsync(Ext4Volume volume, InodeLocation location)
    {
        var group = await volume.Groups.GetAsync(location.Group);
        return await volume.Cache.GetAsync(group.InodeTable + location.TableBlock);
    }
}
