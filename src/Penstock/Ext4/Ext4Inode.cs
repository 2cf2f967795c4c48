using Penstock.Caching;
using Penstock.Ext4.Attributes;
using Penstock.Ext4.Directories;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>
/// An inode of an ext2/3/4 volume. Its record (the bytes of the inode table) is kept whole, so that fields we do not know survive; what the
/// layers above change lives in the base class and is put into the record when it is stored.
/// </summary>
/// <remarks>
/// The record is its own latch, which guards it, but i_block of a mapped inode by its mapper (see <see cref="IBlockMapOwner"/>), and the area of
/// attributes by the inode lock.
/// </remarks>
internal sealed partial class Ext4Inode : Inode, IBlockMapOwner
{
    private readonly InodeRecord _record;
    private readonly InodeLocation _location;
    private readonly VolumeBlock _tableBlock;
    private Ext4BlockMapper? _mapper;
    private readonly Ext4Directory? _directory;
    private long _sectors;

    public Ext4Inode(Ext4FileSystem fileSystem, InodeNumber number, InodeRecord record, VolumeBlock tableBlock)
        : base(fileSystem, number, AttributesOf(record), SizeOf(fileSystem, record))
    {
        Ext4 = fileSystem;
        _record = record;
        _location = Volume.Geometry.Locate(number);
        _tableBlock = tableBlock;
        _sectors = (long)(record.GetAllocatedBytes(Volume.Geometry.BlockSize) / BytesPerSector);
        ExtendedAttributes = new AttributeStore(this);
        HasPages = Kind == FileKind.Regular;
        _directory = Kind == FileKind.Directory ? new Ext4Directory(this) : null;
        HoldsValue = Is(InodeFlags.ExtendedAttributeInode);
    }

    public const int BytesPerSector = 512;

    public Ext4FileSystem Ext4 { get; }

    public Ext4Volume Volume => Ext4.Volume;

    /// <summary>The extended attributes. The inode lock guards them: shared for reading, exclusively for changes.</summary>
    public AttributeStore ExtendedAttributes { get; }

    /// <summary>The record, and its own latch. See the remarks on who guards what.</summary>
    public InodeRecord Record => _record;

    public InodeFlags Flags => _record.Flags;

    /// <summary>The names of a directory.</summary>
    /// <exception cref="InvalidOperationException">The inode is none.</exception>
    public Ext4Directory Directory => _directory ?? throw new InvalidOperationException($"{Number} is no directory.");

    /// <summary>The seed of the checksums of what belongs to the inode.</summary>
    public uint ChecksumSeed => Volume.Checksum.SeedOf(Number, _record.Generation);

    public override BlockMapper? Mapper => Ext4Mapper;

    /// <summary>The mapper, made when it is first asked for: most inodes are only looked at.</summary>
    public Ext4BlockMapper? Ext4Mapper => Volatile.Read(ref _mapper) ?? (HasBlockMap ? MakeMapper() : null);

    /// <summary>The mapper, if anybody has asked for it.</summary>
    public Ext4BlockMapper? MapperInUse => Volatile.Read(ref _mapper);

    private bool HasBlockMap => !HasInlineData && !IsFastLink && Kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink;

    public override ulong Sectors => (ulong)Math.Max(Volatile.Read(ref _sectors), 0);

    public override bool HasInlineData => Is(InodeFlags.InlineContents);

    public override bool JournalsData =>
        Kind == FileKind.Regular && (Ext4.DataMode == DataMode.Journal || Is(InodeFlags.JournalContents)) && Ext4.Journal is LogJournal;

    public override bool AllowsDirectIo => base.AllowsDirectIo && !Is(InodeFlags.Encrypted | InodeFlags.Verity);

    public uint Generation => _record.Generation;

    bool IBlockMapOwner.HasMetadataContent => HoldsValue || Kind is FileKind.Directory or FileKind.SymbolicLink;

    public ReadOnlySpan<byte> BlockField => _record.BlockField;

    public void SetBlockField(ReadOnlySpan<byte> field)
    {
        lock (_record)
        {
            field.CopyTo(_record.BlockField);
        }
    }

    public bool Is(InodeFlags flags) => (_record.Flags & flags) != 0;

    /// <summary>Changes flags that are the format's own business.</summary>
    public void SetFlags(InodeFlags add, InodeFlags remove)
    {
        lock (_record)
        {
            _record.Flags = (_record.Flags | add) & ~remove;
        }

        MarkAttributesDirty();
    }

    public void AddSectors(long delta)
    {
        Interlocked.Add(ref _sectors, delta);
        MarkAttributesDirty();
    }

    /// <summary>Reads an inode's record and judges what the rest computes with.</summary>
    public static void Validate(Ext4FileSystem fileSystem, InodeNumber number, InodeRecord record)
    {
        FileKind kind = ModeBits.ToKind(record.Mode);
        Require(kind != FileKind.Unknown, number, "i_mode", $"0x{record.Mode:x4}");
        Superblock superblock = fileSystem.Volume.Superblock;
        Require(
            !record.Is(InodeFlags.InlineContents) || superblock.Has(IncompatFeatures.InlineData), number, "i_flags",
            $"0x{(uint)record.Flags:x8}, inline contents on a volume without inline_data");
        Require(
            !record.Is(InodeFlags.ExtendedAttributeInode) || kind == FileKind.Regular, number, "i_flags",
            $"0x{(uint)record.Flags:x8}, an attribute's value that is no regular file");
        long size = SizeOf(fileSystem, record);
        int blockSize = superblock.BlockSize;
        bool isInline = record.Is(InodeFlags.InlineContents);
        bool isSound = kind switch
        {
            FileKind.Directory => isInline || size % blockSize == 0,
            // One that is being deleted has been cut to nothing.
            FileKind.SymbolicLink => (size > 0 || record.LinkCount == 0) && size <= blockSize,
            FileKind.Regular => !isInline || size <= superblock.InodeSize,
            _ => true,
        };
        Require(isSound, number, "i_size", $"{size}");
    }

    private static void Require(bool holds, InodeNumber number, string field, string value)
    {
        if (!holds)
        {
            throw new CorruptVolumeException("inode", number.ToString(), field, value);
        }
    }

    private static long SizeOf(Ext4FileSystem fileSystem, InodeRecord record)
    {
        // The high word of a directory's size meant something else once.
        bool isLong = record.Kind == InodeKind.Regular || fileSystem.Volume.Superblock.Has(IncompatFeatures.LargeDir);
        return (long)(isLong ? record.Size : (uint)record.Size);
    }

    private static InodeAttributes AttributesOf(InodeRecord record)
    {
        (uint major, uint minor) = record.Kind is InodeKind.CharacterDevice or InodeKind.BlockDevice ? record.Device : default;
        return new InodeAttributes
        {
            Mode = record.Mode,
            UserId = record.Uid,
            GroupId = record.Gid,
            ProjectId = record.ProjectId,
            Links = record.LinkCount,
            AccessTime = record.Accessed,
            ModifyTime = record.Modified,
            ChangeTime = record.Changed,
            BirthTime = record.Born ?? default,
            DeviceNumber = DeviceNumbers.Join(major, minor),
            Generation = record.Generation,
            Flags = InodeFlagMap.ToFileFlags(record.Flags),
        };
    }

    private Ext4BlockMapper MakeMapper()
    {
        Ext4BlockMapper made = Is(InodeFlags.Extents) ? new Extents.ExtentMapper(Volume, this) : new Indirect.IndirectMapper(Volume, this);
        return Interlocked.CompareExchange(ref _mapper, made, null) ?? made;
    }
}
