using Penstock.Journal.Format;
using Xunit;

namespace Penstock.Tests.Journal.Format;

/// <summary>The superblock of a journal, where its log lies, and the order of its transactions.</summary>
public sealed class JournalSuperblockTests
{
    [Fact]
    public void The_journal_superblock_lies_where_the_format_says()
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, 0x2000, Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10"));
        journal.Sequence = 0x11;
        journal.Start = 0x22;
        journal.ErrorNumber = 0x33;
        journal.Features = JournalFeatures.Revoke;
        journal.FastCommitBlocks = 0x44;
        journal.Head = 0x55;
        byte[] raw = Bytes(journal);
        Assert.Equal(
            "C03B3998" + "00000004" + "00000000" + "00001000" + "00002000" + "00000001" + "00000011" + "00000022" + "00000033" + "00000000"
            + "00000001" + "00000000" + "0102030405060708090A0B0C0D0E0F10" + "00000001",
            Convert.ToHexString(raw[..0x44]));
        Assert.Equal("00000000" + "00000044" + "00000055", Convert.ToHexString(raw[0x50..0x5C]));
        Assert.True(Parse(raw).NeedsRecovery);
    }

    [Fact]
    public void Every_bit_of_a_checked_journal_superblock_counts()
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, 0x2000, Guid.Empty);
        journal.Features = JournalFeatures.ChecksumV3;
        journal.ChecksumType = JournalSuperblock.Crc32CChecksumType;
        byte[] raw = Bytes(journal);
        Assert.False(Parse(raw).NeedsRecovery);
        for (int bit = 0; bit < raw.Length * 8; bit++)
        {
            // Clearing the very bits that say there is a checksum hides it; nothing can help that.
            byte[] damaged = (byte[])raw.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            if (bit / 8 is not (>= 0x28 and < 0x2C or >= 4 and < 8))
            {
                Assert.Throws<CorruptVolumeException>(() => Parse(damaged));
            }
        }
    }

    public static TheoryData<string, int, byte> JournalDamages => new()
    {
        { "h_magic", 0, 0 }, { "h_blocktype", 7, 5 }, { "s_blocksize", 0x0E, 8 }, { "s_maxlen", 0x10, 1 }, { "s_first", 0x17, 0 },
        { "s_first", 0x14, 1 }, { "s_start", 0x1C, 1 },
    };

    [Theory]
    [MemberData(nameof(JournalDamages))]
    public void Damage_of_a_journal_superblock_is_named(string field, int offset, byte value)
    {
        byte[] raw = Bytes(JournalSuperblock.Create(4096, 0x2000, Guid.Empty));
        raw[offset] = value;
        Assert.Equal(field, Assert.Throws<CorruptVolumeException>(() => Parse(raw)).Field);
    }

    [Fact]
    public void More_than_one_kind_of_checksums_is_refused()
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, 0x2000, Guid.Empty);
        journal.ChecksumType = JournalSuperblock.Crc32CChecksumType;
        journal.Features = JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3;
        Assert.Equal("s_feature_incompat", Assert.Throws<CorruptVolumeException>(() => Parse(Bytes(journal))).Field);
        journal.Features = JournalFeatures.ChecksumV2;
        journal.CompatFeatures = JournalCompatFeatures.Checksum;
        Assert.Equal("s_feature_incompat", Assert.Throws<CorruptVolumeException>(() => Parse(Bytes(journal))).Field);
        journal.CompatFeatures = 0;
        journal.ChecksumType = 1;
        Assert.Equal("s_checksum_type", Assert.Throws<CorruptVolumeException>(() => Parse(Bytes(journal))).Field);
    }

    [Fact]
    public void A_journal_of_version_1_has_no_features()
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, 0x2000, Guid.Empty);
        journal.Features = JournalFeatures.Revoke;
        journal.CompatFeatures = JournalCompatFeatures.Checksum;
        byte[] raw = Bytes(journal);
        raw[7] = 3;
        Assert.Equal((JournalFeatures.None, JournalCompatFeatures.None), (Parse(raw).Features, Parse(raw).CompatFeatures));
    }

    [Fact]
    public void The_users_of_an_external_journal_are_known()
    {
        var volume = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");
        byte[] raw = Bytes(JournalSuperblock.Create(4096, 0x2000, Guid.Empty));
        Assert.False(Parse(raw).IsUsedBy(volume));
        raw[0x43] = 2;
        volume.TryWriteBytes(raw.AsSpan(0x110), bigEndian: true, out _);
        Assert.True(Parse(raw).IsUsedBy(volume));
        raw[0x40] = 0xFF;
        Assert.False(Parse(raw).IsUsedBy(Guid.NewGuid()));
    }

    [Theory]
    [InlineData(0x2000, 0, 0x2000 - 256, 0x2000 - 255)]
    [InlineData(0x2000, 100, 0x2000 - 100, 0x2000 - 99)]
    [InlineData(1200, 0, 1200, 1200)]
    [InlineData(0x2000, 0xFFFFFFFF, 0x2000, 0x2000)]
    public void Fast_commits_have_the_end_of_the_journal(uint length, uint blocks, uint end, uint first)
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, length, Guid.Empty);
        journal.FastCommitBlocks = blocks;
        Assert.Equal((length, length, length), Of(new LogGeometry(journal)));
        journal.Features = JournalFeatures.FastCommit;
        Assert.Equal((end, first, length), Of(new LogGeometry(journal)));

        static (uint, uint, uint) Of(LogGeometry log) => (log.End, log.FastCommitFirst, log.FastCommitEnd);
    }

    [Fact]
    public void The_log_goes_round()
    {
        JournalSuperblock journal = JournalSuperblock.Create(4096, 11, Guid.Empty);
        var log = new LogGeometry(journal);
        Assert.Equal(10u, log.Length);
        Assert.Equal((10u, 1u, 4u, 3u), (log.Advance(9, 1), log.Advance(10, 1), log.Advance(4, 10), log.Advance(4, 4_000_000_009)));
        Assert.Equal((0u, 3u, 9u), (log.Distance(4, 4), log.Distance(9, 2), log.Distance(2, 1)));
    }

    [Fact]
    public void Sequences_compare_by_their_distance()
    {
        var last = new LogSequence(uint.MaxValue);
        Assert.Equal(new LogSequence(0), last.Next);
        Assert.Equal(last, last.Next.Previous);
        Assert.True(last.IsBefore(new LogSequence(5)));
        Assert.False(new LogSequence(5).IsBefore(last));
        Assert.False(last.IsBefore(last));
    }

    [Fact]
    public void Unknown_features_of_a_journal_are_refused()
    {
        byte[] raw = Bytes(JournalSuperblock.Create(4096, 0x2000, Guid.Empty));
        raw[0x28] = 0x80;
        Assert.Throws<UnsupportedFeatureException>(() => Parse(raw));
    }

    private static JournalSuperblock Parse(byte[] raw) => JournalSuperblock.Parse(raw, 4096, 0x2000, "inode 8");

    private static byte[] Bytes(JournalSuperblock journal)
    {
        byte[] raw = new byte[JournalSuperblock.Size];
        journal.WriteTo(raw);
        return raw;
    }
}
