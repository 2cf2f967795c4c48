using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>What every step of making a volume works with.</summary>
internal sealed class MakingContext
{
    public MakingContext(Superblock superblock, MakingWriter writer, Timestamp time)
    {
        Superblock = superblock;
        Geometry = new VolumeGeometry(superblock);
        Space = new SpaceMap(Geometry);
        Checksum = new MetadataChecksum(superblock);
        GroupChecksum = new GroupChecksum(superblock);
        Writer = writer;
        Time = time;
    }

    public Superblock Superblock { get; }

    public VolumeGeometry Geometry { get; }

    public SpaceMap Space { get; }

    public MetadataChecksum Checksum { get; }

    public GroupChecksum GroupChecksum { get; }

    public MakingWriter Writer { get; }

    public Timestamp Time { get; }

    /// <summary>The first files, by number; there is nothing between them that is not reserved.</summary>
    public SortedDictionary<uint, MadeFile> Files { get; } = [];

    /// <summary>The last inode that counts as used: reserved ones do.</summary>
    public uint LastUsedInode => Math.Max(Geometry.FirstInode - 1, Files.Count > 0 ? Files.Keys.Max() : 0);

    /// <summary>Blocks of the journal, which count as overhead.</summary>
    public ulong JournalBlocks { get; set; }

    public long OffsetOf(VolumeBlock block) => (long)block.Value * Geometry.BlockSize;

    public ValueTask WriteBlockAsync(VolumeBlock block, ReadOnlyMemory<byte> bytes) => Writer.WriteAsync(OffsetOf(block), bytes);

    public MadeFile AddFile(uint number, ushort mode, ushort links = 1)
    {
        var file = new MadeFile(this, number, mode, links);
        Files.Add(number, file);
        return file;
    }

    /// <summary>The first number that no file has.</summary>
    public uint NextInode() => LastUsedInode + 1;
}
