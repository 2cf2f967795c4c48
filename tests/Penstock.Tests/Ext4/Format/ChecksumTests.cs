using System.Text;
using Penstock.Ext4.Format;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class ChecksumTests
{
    [Fact]
    public void Crc32C_has_its_published_check_value() =>
        Assert.Equal(0xE3069283u, ~Crc32C.Append(Crc32C.Start, "123456789"u8));

    [Fact]
    public void Crc16_has_its_published_check_value() =>
        Assert.Equal(0x4B37, Crc16.Append(Crc16.Start, "123456789"u8)); // CRC-16/MODBUS

    [Fact]
    public void Crc32C_can_be_continued_at_any_byte()
    {
        byte[] bytes = Encoding.ASCII.GetBytes("the quick brown fox jumps over the lazy dog, twice a day");
        uint whole = Crc32C.Append(Crc32C.Start, bytes);
        for (int cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.Equal(whole, Crc32C.Append(Crc32C.Append(Crc32C.Start, bytes.AsSpan(0, cut)), bytes.AsSpan(cut)));
        }
    }

    [Fact]
    public void Crc32C_of_long_pieces_is_that_of_their_bytes()
    {
        byte[] bytes = new byte[5000];
        new Random(1).NextBytes(bytes);
        for (int length = 900; length <= bytes.Length; length += length < 1200 ? 1 : 97)
        {
            uint expected = Crc32C.Start;
            foreach (byte one in bytes.AsSpan(bytes.Length - length))
            {
                expected = Crc32C.Append(expected, [one]);
            }

            Assert.Equal(expected, Crc32C.Append(Crc32C.Start, bytes.AsSpan(bytes.Length - length)));
        }
    }

    [Fact]
    public void Numbers_and_zeros_are_appended_as_their_bytes()
    {
        Assert.Equal(Crc32C.Append(7, [0x04, 0x03, 0x02, 0x01]), Crc32C.Append(7, 0x01020304u));
        Assert.Equal(Crc32C.Append(7, [8, 7, 6, 5, 4, 3, 2, 1]), Crc32C.Append(7, 0x0102030405060708UL));
        Assert.Equal(Crc32C.Append(7, new byte[11]), Crc32C.AppendZeros(7, 11));
    }
}
