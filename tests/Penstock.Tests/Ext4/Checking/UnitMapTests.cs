using Penstock.Ext4.Checking;
using Xunit;

namespace Penstock.Tests.Ext4.Checking;

/// <summary>The map of blocks in use, against an array of bools.</summary>
public sealed class UnitMapTests
{
    private const int Length = 150_000;

    [Theory]
    [InlineData(1, 5, 300)]
    [InlineData(2, 2000, 60)]
    [InlineData(3, 40_000, 20)]
    public void Does_what_an_array_does(int seed, int longest, int additions)
    {
        var random = new Random(seed);
        var map = new UnitMap(Length);
        var twice = new UnitMap(Length);
        bool[] model = new bool[Length];
        bool[] modelTwice = new bool[Length];
        for (int i = 0; i < additions; i++)
        {
            int count = random.Next(1, longest);
            int first = random.Next(Length - count);
            bool isNew = true;
            for (int unit = first; unit < first + count; unit++)
            {
                isNew &= !model[unit];
                modelTwice[unit] |= model[unit];
                model[unit] = true;
            }

            Assert.Equal(!isNew, map.Intersects((ulong)first, (ulong)count));
            Assert.Equal(isNew, map.Add((ulong)first, (ulong)count, twice));
        }

        AssertSame(model, map);
        AssertSame(modelTwice, twice);
    }

    private static void AssertSame(bool[] model, UnitMap map)
    {
        byte[] bits = new byte[(Length / 8) + 1];
        map.CopyTo(3, Length - 3, bits);
        for (int unit = 3; unit < Length; unit++)
        {
            Assert.Equal(model[unit], (bits[(unit - 3) >> 3] >> ((unit - 3) & 7) & 1) != 0);
            Assert.Equal(model[unit], map.Contains((ulong)unit));
        }

        Assert.Equal((ulong)model.Count(b => b), map.CountAll());
    }
}
