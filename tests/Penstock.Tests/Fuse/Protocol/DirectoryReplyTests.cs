using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Xunit;

namespace Penstock.Tests.Fuse.Protocol;

public sealed class DirectoryReplyTests
{
    [Fact]
    public void Entries_start_on_eight_bytes_and_the_padding_is_zero()
    {
        byte[] bytes = new byte[256];
        bytes.AsSpan().Fill(0xee);
        var reply = new DirectoryReply(bytes);

        Assert.True(reply.TryAdd(11, 1, 4, "a"u8));
        Assert.True(reply.TryAdd(12, 2, 8, "12345678"u8));

        Assert.Equal(32 + 32, reply.Length);
        Assert.Equal(11u, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16)));
        Assert.Equal("a\0\0\0\0\0\0\0"u8, bytes.AsSpan(24, 8));
        Assert.Equal(12u, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(32)));
        Assert.Equal("12345678"u8, bytes.AsSpan(56, 8));
    }

    [Fact]
    public void An_entry_that_does_not_fit_whole_is_not_begun()
    {
        byte[] bytes = new byte[39];
        var reply = new DirectoryReply(bytes);

        Assert.True(reply.TryAdd(11, 1, 4, "a"u8));
        Assert.False(reply.TryAdd(12, 2, 4, "b"u8));
        Assert.Equal(32, reply.Length);
        Assert.Equal(0, bytes[32]);
    }

    [Fact]
    public void A_plus_entry_carries_the_attributes_before_the_name()
    {
        byte[] bytes = new byte[160];
        var reply = new DirectoryReply(bytes);
        var entry = new FuseEntryOut { NodeId = 77, Attr = new FuseAttr { Size = 99 } };

        Assert.True(reply.TryAddPlus(entry, 77, 5, 8, "file"u8));
        Assert.Equal(160, reply.Length);
        Assert.Equal(99u, MemoryMarshal.Read<FuseEntryOut>(bytes).Attr.Size);
        Assert.Equal(5u, MemoryMarshal.Read<FuseDirent>(bytes.AsSpan(128)).NextOffset);
        Assert.Equal("file"u8, bytes.AsSpan(152, 4));
        Assert.False(reply.TryAddPlus(entry, 77, 6, 8, "g"u8));
    }
}
