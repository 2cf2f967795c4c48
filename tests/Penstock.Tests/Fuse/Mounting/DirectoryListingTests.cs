using Penstock.Fuse.Mounting;
using Penstock.Fuse.Protocol;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Fuse.Mounting;

public sealed class DirectoryListingTests
{
    [Fact]
    public void What_is_taken_fits_the_reply_exactly()
    {
        var listing = new DirectoryListing();
        listing.Begin(32 + 40, DirectoryReply.SizeOf);

        Assert.True(listing.Add("abcdefgh"u8, new InodeNumber(11), FileKind.Regular, 1));
        Assert.True(listing.Add("123456789"u8, new InodeNumber(12), FileKind.Regular, 2));
        Assert.False(listing.Add("c"u8, new InodeNumber(13), FileKind.Regular, 3));

        byte[] bytes = new byte[72];
        var reply = new DirectoryReply(bytes);
        foreach (DirectoryListing.Entry entry in listing.Entries)
        {
            Assert.True(reply.TryAdd(entry.Number.Value, entry.Next, 8, listing.NameOf(entry)));
        }

        Assert.Equal(72, reply.Length);
    }

    [Fact]
    public void Names_are_kept_though_their_memory_is_reused()
    {
        var listing = new DirectoryListing();
        listing.Begin(1 << 20, DirectoryReply.SizeOfPlus);
        byte[] name = new byte[200];
        for (byte i = 1; i < 100; i++)
        {
            Array.Fill(name, i);
            Assert.True(listing.Add(name, new InodeNumber(i), FileKind.Directory, i));
        }

        Assert.Equal(99, listing.Entries.Count);
        Assert.All(listing.Entries, entry => Assert.Equal((byte)entry.Number.Value, listing.NameOf(entry)[199]));

        listing.Begin(64, DirectoryReply.SizeOf);
        Assert.Empty(listing.Entries);
    }
}
