namespace Penstock.Journal.Format;

/// <summary>
/// The first block of a journal (journal_superblock_t), big-endian like all of it. It keeps its own copy of the bytes.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#super-block.
/// </summary>
internal sealed class JournalSuperblock
{
    public const int Size = 1024;
    public const uint Version1 = (uint)LogBlockType.SuperblockV1;
    public const uint Version2 = (uint)LogBlockType.SuperblockV2;
    public const byte Crc32CChecksumType = 4;

    /// <summary>The most volumes that may share an external journal.</summary>
    public const int MaxUsers = 48;

    /// <summary>A journal of fewer blocks is refused by Linux.</summary>
    public const uint MinBlocks = 1024;

    private const int ChecksumOffset = 0xFC;
    private const int UsersOffset = 0x100;
    private const string Structure = "journal superblock";
    private const JournalFeatures BothChecksums = JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3;

    private readonly byte[] raw;

    private JournalSuperblock(byte[] raw) => this.raw = raw;

    /// <summary>An empty journal.</summary>
    public static JournalSuperblock Create(int blockSize, uint length, Guid uuid)
    {
        var made = new JournalSuperblock(new byte[Size]);
        made.Put(0x00, LogBlockHeader.Magic); // h_magic
        made.Put(0x04, Version2); // h_blocktype
        made.Put(0x0C, (uint)blockSize); // s_blocksize
        made.Put(0x10, length); // s_maxlen
        made.First = 1;
        made.Sequence = 1;
        uuid.TryWriteBytes(made.raw.AsSpan(0x30, 16), bigEndian: true, out _);
        made.Put(0x40, 1); // s_nr_users
        return made;
    }

    /// <summary>Reads and checks a journal's first block.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    /// <param name="blockSize">The volume's block size, which the journal's must equal.</param>
    /// <param name="availableBlocks">The blocks that the journal's inode or device has.</param>
    /// <param name="location">Where it lies.</param>
    /// <exception cref="CorruptVolumeException">It is damaged.</exception>
    /// <exception cref="UnsupportedFeatureException">It uses features that are not known.</exception>
    public static JournalSuperblock Parse(ReadOnlySpan<byte> bytes, int blockSize, ulong availableBlocks, string location)
    {
        var parsed = new JournalSuperblock(bytes[..Size].ToArray());
        uint magic = parsed.Get(0x00);
        FormatCheck.Require(magic == LogBlockHeader.Magic, Structure, location, "h_magic", $"0x{magic:x8}, expected 0x{LogBlockHeader.Magic:x8}");
        uint type = parsed.Get(0x04);
        FormatCheck.Require(type is Version1 or Version2, Structure, location, "h_blocktype", $"{type}, expected 3 or 4");
        FormatCheck.Require(parsed.BlockSize == blockSize, Structure, location, "s_blocksize", $"{parsed.BlockSize}, expected {blockSize}");
        parsed.RequireSoundChecksums(location);
        parsed.RequireKnown();
        uint length = parsed.Length;
        FormatCheck.Require(length >= 2 && length <= availableBlocks, Structure, location, "s_maxlen", $"{length}, the journal has {availableBlocks} blocks");
        FormatCheck.Require(parsed.First >= 1 && parsed.First < length, Structure, location, "s_first", $"{parsed.First}, s_maxlen is {length}");
        bool isStartPossible = parsed.Start == 0 || (parsed.Start >= parsed.First && parsed.Start < length);
        FormatCheck.Require(isStartPossible, Structure, location, "s_start", $"{parsed.Start}, expected 0 or {parsed.First} to {length - 1}");
        return parsed;
    }

    /// <summary>s_users: whether a volume is among those that an external journal serves.</summary>
    public bool IsUsedBy(Guid volume)
    {
        for (int i = 0; i < Math.Min(UserCount, MaxUsers); i++)
        {
            if (new Guid(raw.AsSpan(UsersOffset + (i * LogFormat.UuidSize), LogFormat.UuidSize), bigEndian: true) == volume)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Puts the checksum right, if the journal has one, and copies the bytes out.</summary>
    public void WriteTo(Span<byte> destination)
    {
        if (HasChecksum)
        {
            Put(ChecksumOffset, ComputeChecksum()); // s_checksum
        }

        raw.CopyTo(destination);
    }

    /// <summary>Whether transactions wait for replay.</summary>
    public bool NeedsRecovery => Start != 0;

    /// <summary>s_blocksize.</summary>
    public int BlockSize => (int)Get(0x0C);

    /// <summary>s_maxlen: blocks of the journal, this one too.</summary>
    public uint Length => Get(0x10);

    /// <summary>s_first: the first block of the log.</summary>
    public uint First
    {
        get => Get(0x14);
        set => Put(0x14, value);
    }

    /// <summary>s_sequence: the first transaction expected in the log.</summary>
    public uint Sequence
    {
        get => Get(0x18);
        set => Put(0x18, value);
    }

    /// <summary>s_start: where the log begins; 0 is an empty log.</summary>
    public uint Start
    {
        get => Get(0x1C);
        set => Put(0x1C, value);
    }

    /// <summary>s_errno: an error that the journal remembers for the file system.</summary>
    public int ErrorNumber
    {
        get => (int)Get(0x20);
        set => Put(0x20, (uint)value);
    }

    /// <summary>s_feature_compat.</summary>
    public JournalCompatFeatures CompatFeatures
    {
        get => IsVersion2 ? (JournalCompatFeatures)Get(0x24) : 0;
        set => Put(0x24, (uint)value);
    }

    /// <summary>s_feature_incompat.</summary>
    public JournalFeatures Features
    {
        get => IsVersion2 ? (JournalFeatures)Get(0x28) : 0;
        set => Put(0x28, (uint)value);
    }

    /// <summary>s_uuid.</summary>
    public Guid Uuid => new(raw.AsSpan(0x30, 16), bigEndian: true);

    /// <summary>s_nr_users: file systems that share an external journal.</summary>
    public uint UserCount => Get(0x40);

    /// <summary>s_checksum_type.</summary>
    public byte ChecksumType
    {
        get => raw[0x50];
        set => raw[0x50] = value;
    }

    /// <summary>s_num_fc_blks: blocks at the end for fast commits; 0 stands for 256 where the feature is on.</summary>
    public uint FastCommitBlocks
    {
        get => Get(0x54);
        set => Put(0x54, value);
    }

    /// <summary>s_head.</summary>
    public uint Head
    {
        get => Get(0x58);
        set => Put(0x58, value);
    }

    public bool HasChecksum => (Features & BothChecksums) != 0;

    public uint StoredChecksum => Get(ChecksumOffset);

    public uint ComputeChecksum() => ComputeChecksum(raw);

    /// <summary>What s_checksum should be, of a superblock that may be damaged otherwise.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    public static uint ComputeChecksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = Crc32C.AppendZeros(Crc32C.Append(Crc32C.Start, bytes[..ChecksumOffset]), sizeof(uint));
        return Crc32C.Append(crc, bytes[(ChecksumOffset + sizeof(uint))..Size]);
    }

    private bool IsVersion2 => Get(0x04) == Version2;

    private void RequireKnown()
    {
        JournalFeatures unknown = Features & ~JournalFeatures.Known;
        uint readOnlyCompat = IsVersion2 ? Get(0x2C) : 0; // s_feature_ro_compat: none is known
        if (unknown != 0 || readOnlyCompat != 0)
        {
            throw new UnsupportedFeatureException([$"0x{(uint)unknown | readOnlyCompat:x}"], "the journal has features that are not known");
        }
    }

    private void RequireSoundChecksums(string location)
    {
        bool isOneKind = (Features & BothChecksums) != BothChecksums && (!HasChecksum || (CompatFeatures & JournalCompatFeatures.Checksum) == 0);
        FormatCheck.Require(isOneKind, Structure, location, "s_feature_incompat", $"0x{(uint)Features:x}: more than one kind of checksums");
        if (!HasChecksum)
        {
            return;
        }

        uint computed = ComputeChecksum();
        FormatCheck.Require(
            StoredChecksum == computed, Structure, location, "s_checksum", $"0x{StoredChecksum:x8}, computed 0x{computed:x8}");
        FormatCheck.Require(
            ChecksumType == Crc32CChecksumType, Structure, location, "s_checksum_type", $"{ChecksumType}, expected {Crc32CChecksumType}");
    }

    private uint Get(int offset) => BigEndian.U32(raw, offset);

    private void Put(int offset, uint value) => BigEndian.U32(raw, offset, value);
}
