using System.Text;
using Penstock.Ext4.Format;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

/// <summary>The expected values are what debugfs' dx_hash says of the same names.</summary>
public sealed class DirectoryHashTests
{
    private static readonly Guid Seed = Guid.Parse("5007b5d9-5965-48ab-a09b-8d0abe53d843");

    [Theory]
    [InlineData(0, "a", 0xe74b53e2, 0x0)]
    [InlineData(0, "lost+found", 0x5e2aba24, 0x0)]
    [InlineData(0, "überlänge-ß", 0xd96b0fa6, 0x0)]
    [InlineData(3, "überlänge-ß", 0xc1cab68e, 0x0)]
    [InlineData(1, "a", 0x86d246d2, 0x2d5f7fa9)]
    [InlineData(1, "lost+found", 0x938b3d5e, 0x694e1266)]
    [InlineData(1, "überlänge-ß", 0xffb87290, 0x2ef9a10d)]
    [InlineData(1, "name-with-16-chr", 0x373fb0c8, 0x99df400d)]
    [InlineData(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0xa2f21a5c, 0x3adc6f7e)]
    [InlineData(4, "überlänge-ß", 0xf80c82fa, 0x663a129a)]
    [InlineData(2, "a", 0x35404918, 0xa9c1653e)]
    [InlineData(2, "name-with-16-chr", 0x76b32f5c, 0x83e163d7)]
    [InlineData(2, "überlänge-ß", 0x68e2686c, 0x2fe81862)]
    [InlineData(5, "überlänge-ß", 0x06861f5c, 0x986ee59d)]
    public void A_name_hashes_to_the_known_value(int version, string name, uint major, uint minor) =>
        Assert.Equal(
            new DirectoryHash(major, minor), DirectoryHash.Compute(Encoding.UTF8.GetBytes(name), (DirectoryHashVersion)version, Seed));

    [Theory]
    [InlineData(1, VolumeFlagsForTest.Signed, 1)]
    [InlineData(1, VolumeFlagsForTest.Unsigned, 4)]
    [InlineData(0, VolumeFlagsForTest.Unsigned, 3)]
    [InlineData(6, VolumeFlagsForTest.Unsigned, 6)]
    public void The_volume_says_whether_bytes_are_signed(int stored, int flags, int expected) =>
        Assert.Equal((DirectoryHashVersion)expected, DirectoryHash.Resolve((DirectoryHashVersion)stored, (VolumeFlags)flags));

    [Fact]
    public void Siphash_is_refused_by_name()
    {
        var thrown = Assert.Throws<UnsupportedFeatureException>(() => DirectoryHash.Compute("x"u8, DirectoryHashVersion.SipHash, Seed));
        Assert.Contains("encrypt", thrown.Features);
    }

    private static class VolumeFlagsForTest
    {
        public const int Signed = 1;
        public const int Unsigned = 2;
    }
}
