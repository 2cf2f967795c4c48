using System.Buffers.Binary;
using Penstock.Journal.Format;
using Xunit;

namespace Penstock.Tests.Journal.Format;

/// <summary>The blocks of a log in every format: where each field lies, and that what is written is read.</summary>
public sealed class LogBlockTests
{
    private const int BlockSize = 1024;

    private static readonly Guid Uuid = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");
    private static readonly LogSequence Sequence = new(0x01020304);

    [Flags]
    public enum Shape
    {
        Plain = 0,
        Wide = 1,
        V1 = 2,
        V2 = 4,
        V3 = 8,
    }

    public static TheoryData<Shape, int> Shapes => new()
    {
        { Shape.Plain, 8 }, { Shape.Wide, 12 }, { Shape.V1, 8 }, { Shape.V1 | Shape.Wide, 12 }, { Shape.V2, 10 }, { Shape.V2 | Shape.Wide, 14 },
        { Shape.V3, 16 }, { Shape.V3 | Shape.Wide, 16 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Tags_are_read_as_they_were_written(Shape shape, int tagSize)
    {
        LogFormat format = Make(shape);
        Assert.Equal(tagSize, format.TagSize);
        ulong high = format.Is64Bit ? 0xABUL << 32 : 0;
        var tags = new BlockTag[DescriptorBlock.Capacity(format)];
        for (int i = 0; i < tags.Length; i++)
        {
            uint checksum = format.HasTagsV3 ? 0xF0E0D0C0 + (uint)i : format.HasTagsV2 ? (uint)(0xF000 + i) : 0;
            tags[i] = new BlockTag(high | (uint)(0x11223300 + i), i % 3 == 0 ? BlockTagFlags.Escaped : 0, checksum);
        }

        byte[] block = Filled();
        DescriptorBlock.Write(format, block, Sequence, tags);
        Assert.True(LogBlockHeader.TryRead(block, out LogBlockHeader header));
        Assert.Equal(new LogBlockHeader(LogBlockType.Descriptor, Sequence), header);
        Assert.True(LogBlockTail.IsSound(format, block));
        Assert.Equal(tags.Length, DescriptorBlock.Count(format, block));
        int next = 0;
        foreach (BlockTag tag in DescriptorBlock.Read(format, block))
        {
            Assert.Equal((tags[next].Block, tags[next].Checksum, tags[next].IsEscaped), (tag.Block, tag.Checksum, tag.IsEscaped));
            Assert.Equal((next > 0, next == tags.Length - 1), ((tag.Flags & BlockTagFlags.SameUuid) != 0, tag.IsLast));
            next++;
        }

        Assert.Equal(tags.Length, next);
        Assert.Equal(block[(LogBlockHeader.Size + tagSize)..(LogBlockHeader.Size + tagSize + 16)], Uuid.ToByteArray(bigEndian: true));
    }

    public static TheoryData<Shape, string> FirstTags => new()
    {
        { Shape.Plain, "11223344" + "0000" + "0009" },
        { Shape.Wide, "11223344" + "0000" + "0009" + "000000AB" },
        { Shape.V2, "11223344" + "7788" + "0009" + "0000" },
        { Shape.V2 | Shape.Wide, "11223344" + "7788" + "0009" + "000000AB" + "0000" },
        { Shape.V3, "11223344" + "00000009" + "00000000" + "55667788" },
        { Shape.V3 | Shape.Wide, "11223344" + "00000009" + "000000AB" + "55667788" },
    };

    [Theory]
    [MemberData(nameof(FirstTags))]
    public void A_tag_lies_where_the_format_says(Shape shape, string expected)
    {
        LogFormat format = Make(shape);
        byte[] block = Filled();
        ulong number = (format.Is64Bit ? 0xABUL << 32 : 0) | 0x11223344;
        DescriptorBlock.Write(format, block, Sequence, [new BlockTag(number, BlockTagFlags.Escaped | BlockTagFlags.Deleted, 0x55667788)]);
        Assert.Equal("C03B3998" + "00000001" + "01020304", Convert.ToHexString(block[..12]));
        Assert.Equal(expected, Convert.ToHexString(block.AsSpan(12, format.TagSize)));
        Assert.True(block.AsSpan(12 + format.TagSize + 16)[..^4].IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void Tags_with_a_uuid_each_and_none_that_is_the_last_end_with_the_block()
    {
        LogFormat format = Make(Shape.V3 | Shape.Wide);
        byte[] block = new byte[BlockSize];

        // The last one's UUID would reach into the checksum.
        Assert.Equal(32, DescriptorBlock.Count(format, block));
        block.AsSpan().Fill(0xFF);
        Assert.Equal(1, DescriptorBlock.Count(format, block));
    }

    [Fact]
    public void A_descriptor_takes_neither_none_nor_too_many_nor_what_it_cannot_name()
    {
        LogFormat format = Make(Shape.Plain);
        byte[] block = Filled();
        Assert.Throws<ArgumentOutOfRangeException>(() => DescriptorBlock.Write(format, block, Sequence, []));
        var tooMany = new BlockTag[DescriptorBlock.Capacity(format) + 1];
        Assert.Throws<ArgumentOutOfRangeException>(() => DescriptorBlock.Write(format, block, Sequence, tooMany));
        Assert.Throws<ArgumentOutOfRangeException>(() => DescriptorBlock.Write(format, block, Sequence, [new BlockTag(1UL << 32, 0, 0)]));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Revoked_blocks_are_read_as_they_were_written(Shape shape, int tagSize)
    {
        LogFormat format = Make(shape);
        Assert.Equal(tagSize, format.TagSize);
        int width = format.Is64Bit ? 8 : 4;
        var revoked = new ulong[RevokeBlock.Capacity(format)];
        Assert.Equal((BlockSize - 16 - (format.HasChecksums ? 4 : 0)) / width, revoked.Length);
        for (int i = 0; i < revoked.Length; i++)
        {
            revoked[i] = 0xF0000000 + (uint)i + (format.Is64Bit ? 7UL << 32 : 0);
        }

        byte[] block = Filled();
        RevokeBlock.Write(format, block, Sequence, revoked);
        Assert.Equal("C03B3998" + "00000005" + "01020304", Convert.ToHexString(block[..12]));
        Assert.Equal((uint)(16 + (width * revoked.Length)), BinaryPrimitives.ReadUInt32BigEndian(block.AsSpan(12)));
        Assert.True(LogBlockTail.IsSound(format, block));
        Assert.True(RevokeBlock.TryReadCount(format, block, out int count));
        Assert.Equal(revoked, Enumerable.Range(0, count).Select(i => RevokeBlock.ReadBlock(format, block, i)));
        Assert.Throws<ArgumentOutOfRangeException>(() => RevokeBlock.Write(format, block, Sequence, new ulong[revoked.Length + 1]));
    }

    [Fact]
    public void A_count_of_revoked_blocks_beyond_the_block_is_noticed()
    {
        LogFormat format = Make(Shape.V3);
        byte[] block = Filled();
        RevokeBlock.Write(format, block, Sequence, [1, 2]);
        foreach ((uint bytes, bool isSound, int expected) in new[] { (0u, true, 0), (16u, true, 0), (19u, true, 0), (1020u, true, 251), (1021u, false, 251) })
        {
            BinaryPrimitives.WriteUInt32BigEndian(block.AsSpan(12), bytes);
            Assert.Equal(isSound, RevokeBlock.TryReadCount(format, block, out int count));
            Assert.Equal(expected, count);
        }

        BinaryPrimitives.WriteUInt32BigEndian(block.AsSpan(12), uint.MaxValue);
        Assert.False(RevokeBlock.TryReadCount(format, block, out _));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_commit_block_lies_where_the_format_says(Shape shape, int tagSize)
    {
        LogFormat format = Make(shape);
        Assert.Equal(tagSize, format.TagSize);
        byte[] block = Filled();
        var commit = new CommitBlock(Sequence, 0x1112131415161718, 0x2122);
        commit.Write(format, block, 0xAABBCCDD);
        Assert.Equal("C03B3998" + "00000002" + "01020304", Convert.ToHexString(block[..12]));
        Assert.Equal("1112131415161718" + "00002122", Convert.ToHexString(block[0x30..0x3C]));
        Assert.Equal(format.HasTransactionChecksums ? "01040000AABBCCDD" : "00000000", Convert.ToHexString(block[12..(format.HasTransactionChecksums ? 20 : 16)]));
        Assert.Equal(commit, CommitBlock.Read(block));
        Assert.True(CommitBlock.IsSound(format, block));
        Assert.Equal((true, !format.HasTransactionChecksums), (CommitBlock.IsSumSound(format, block, 0xAABBCCDD), CommitBlock.IsSumSound(format, block, 1)));
    }

    [Fact]
    public void A_commit_block_that_keeps_no_sum_counts()
    {
        byte[] block = new byte[BlockSize];
        new CommitBlock(Sequence, 1, 2).Write(Make(Shape.Plain), block);
        Assert.True(CommitBlock.IsSumSound(Make(Shape.V1), block, 1));
        block[12] = 1;
        Assert.False(CommitBlock.IsSumSound(Make(Shape.V1), block, 0));
    }

    [Fact]
    public void Every_bit_of_a_checked_block_counts()
    {
        LogFormat format = Make(Shape.V3);
        byte[] block = Filled();
        DescriptorBlock.Write(format, block, Sequence, [new BlockTag(1, 0, 2)]);
        AssertEveryBitCounts(block, damaged => LogBlockTail.IsSound(format, damaged));
        RevokeBlock.Write(format, block, Sequence, [5]);
        AssertEveryBitCounts(block, damaged => LogBlockTail.IsSound(format, damaged));
        new CommitBlock(Sequence, 1, 2).Write(format, block);
        AssertEveryBitCounts(block, damaged => CommitBlock.IsSound(format, damaged));
        BlockTag tag = new(9, 0, LoggedBlock.ComputeChecksum(format, Sequence, block));
        AssertEveryBitCounts(block, damaged => LoggedBlock.IsSound(format, Sequence, tag, damaged));
        Assert.False(LoggedBlock.IsSound(format, Sequence.Next, tag, block));
    }

    [Fact]
    public void The_sum_of_a_transaction_is_that_of_all_its_blocks()
    {
        // "123456789" is the check value of every list of CRCs: this one is CRC-32/MPEG-2.
        Assert.Equal(0x0376E6E7u, CommitBlock.SumUp(CommitBlock.EmptySum, "123456789"u8));
        Assert.Equal(0x0376E6E7u, CommitBlock.SumUp(CommitBlock.SumUp(CommitBlock.EmptySum, "1234"u8), "56789"u8));
    }

    [Fact]
    public void A_block_like_one_of_the_log_is_escaped()
    {
        byte[] block = Filled();
        Assert.False(LoggedBlock.MustEscape(block));
        new LogBlockHeader(LogBlockType.Commit, Sequence).WriteTo(block);
        byte[] original = (byte[])block.Clone();
        Assert.True(LoggedBlock.MustEscape(block));
        LoggedBlock.Escape(block);
        Assert.Equal("00000000" + "00000002", Convert.ToHexString(block[..8]));
        LoggedBlock.Unescape(block);
        Assert.Equal(original, block);
    }

    private static LogFormat Make(Shape shape)
    {
        JournalFeatures features = (shape.HasFlag(Shape.Wide) ? JournalFeatures.Is64Bit : 0)
            | (shape.HasFlag(Shape.V2) ? JournalFeatures.ChecksumV2 : 0)
            | (shape.HasFlag(Shape.V3) ? JournalFeatures.ChecksumV3 : 0);
        return new LogFormat(BlockSize, features, shape.HasFlag(Shape.V1) ? JournalCompatFeatures.Checksum : 0, Uuid);
    }

    private static byte[] Filled()
    {
        byte[] block = new byte[BlockSize];
        block.AsSpan().Fill(0xA5);
        return block;
    }

    private static void AssertEveryBitCounts(byte[] sound, Func<byte[], bool> isSound)
    {
        Assert.True(isSound(sound));
        for (int bit = 0; bit < sound.Length * 8; bit++)
        {
            byte[] damaged = (byte[])sound.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(isSound(damaged));
        }
    }
}
