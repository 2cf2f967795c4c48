using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Xunit;

namespace Penstock.Tests.Fuse.Session;

public sealed class FuseNegotiationTests
{
    private static readonly FuseInitIn s_everything = new()
    {
        Major = 7, Minor = 45, MaxReadahead = 128 * 1024, Flags = uint.MaxValue, Flags2 = uint.MaxValue,
    };

    [Fact]
    public void What_the_mount_relies_on_is_agreed_on()
    {
        FuseConnection connection = FuseNegotiation.Answer(s_everything, new FuseSessionOptions(), out FuseInitOut reply)!;

        Assert.True(connection.Has(
            FuseInitFlags.AsyncDio | FuseInitFlags.AtomicOTrunc | FuseInitFlags.HandleKillPrivV2 | FuseInitFlags.ExplicitInvalData
            | FuseInitFlags.DirectIoAllowMmap | FuseInitFlags.SetXAttrExt | FuseInitFlags.InitExt | FuseInitFlags.PosixAcl));
        Assert.Equal(1024u * 1024, reply.MaxWrite);
        Assert.Equal(256, reply.MaxPages);
        Assert.Equal(256, reply.MaxBackground);
        Assert.Equal(1u, reply.TimeGranularity);
        Assert.Equal(128u * 1024, reply.MaxReadahead);
        Assert.Equal((ulong)connection.Flags, reply.Flags | ((ulong)reply.Flags2 << 32));
    }

    [Theory]
    [InlineData(FuseInitFlags.PosixLocks)]
    [InlineData(FuseInitFlags.FlockLocks)]
    [InlineData(FuseInitFlags.SpliceRead)]
    [InlineData(FuseInitFlags.AutoInvalData)]
    [InlineData(FuseInitFlags.WritebackCache)]
    [InlineData(FuseInitFlags.NoOpenSupport)]
    [InlineData(FuseInitFlags.Passthrough)]
    [InlineData(FuseInitFlags.OverIoUring)]
    [InlineData(FuseInitFlags.SecurityCtx)]
    public void What_is_not_wanted_is_not_claimed_though_offered(object flag)
    {
        FuseConnection connection = FuseNegotiation.Answer(s_everything, new FuseSessionOptions(), out _)!;

        Assert.False(connection.Has((FuseInitFlags)flag));
    }

    [Fact]
    public void Nothing_is_claimed_that_the_kernel_did_not_offer()
    {
        var bare = new FuseInitIn { Major = 7, Minor = 33, MaxReadahead = 4096, Flags2 = uint.MaxValue };

        FuseConnection connection = FuseNegotiation.Answer(bare, new FuseSessionOptions(), out FuseInitOut reply)!;

        Assert.Equal(FuseInitFlags.None, connection.Flags);
        Assert.Equal(33u, connection.Minor);
        Assert.Equal(128u * 1024, reply.MaxWrite);
    }

    [Fact]
    public void The_writeback_cache_is_an_option()
    {
        var options = new FuseSessionOptions { UsesWritebackCache = true };

        Assert.True(FuseNegotiation.Answer(s_everything, options, out _)!.Has(FuseInitFlags.WritebackCache));
    }

    [Theory]
    [InlineData(7, 32)]
    [InlineData(6, 45)]
    [InlineData(8, 0)]
    public void A_version_that_cannot_be_served_hears_ours(uint major, uint minor)
    {
        var request = s_everything with { Major = major, Minor = minor };

        Assert.Null(FuseNegotiation.Answer(request, new FuseSessionOptions(), out FuseInitOut reply));
        Assert.Equal(7u, reply.Major);
    }
}
