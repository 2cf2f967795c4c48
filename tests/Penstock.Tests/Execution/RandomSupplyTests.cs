using Penstock.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

public sealed class RandomSupplyTests
{
    /// <summary>Portions of different lengths, over many refills: no eight bytes come twice, wherever they begin.</summary>
    [Fact]
    public void No_byte_is_given_out_twice()
    {
        var seen = new HashSet<ulong>();
        Span<byte> portion = stackalloc byte[24];
        for (int i = 0; i < 3000; i++)
        {
            Span<byte> bytes = portion[..(8 + (i % 3 * 8))];
            RandomSupply.Fill(bytes);
            for (int at = 0; at < bytes.Length; at += 8)
            {
                Assert.True(seen.Add(BitConverter.ToUInt64(bytes[at..])));
            }
        }
    }

    [Fact]
    public void A_long_portion_is_filled_whole()
    {
        var bytes = new byte[5000];
        RandomSupply.Fill(bytes);
        Assert.DoesNotContain(Enumerable.Range(0, 500), i => bytes.AsSpan(i * 10, 10).IndexOfAnyExcept((byte)0) < 0);
    }
}
