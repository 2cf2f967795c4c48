using Penstock.Fuse.Protocol;

namespace Penstock.Bench.Bare;

/// <summary>The one file that a bare server has, under any name, and its folder.</summary>
internal static class ZeroFile
{
    public const ulong Root = 1;
    private const ulong File = 2;
    private const ulong Length = 512 << 20;
    private const ulong Seconds = 3600;

    public static FuseAttrOut Attributes(ulong node) => new() { AttrValid = Seconds, Attr = Describe(node) };

    public static FuseEntryOut Entry() => new() { NodeId = File, EntryValid = Seconds, AttrValid = Seconds, Attr = Describe(File) };

    private static FuseAttr Describe(ulong node) => new()
    {
        Inode = node,
        Size = node == Root ? 4096 : Length,
        Blocks = (node == Root ? 4096 : Length) / 512,
        Mode = node == Root ? 0x41EDu : 0x81A4u,
        Links = 1,
        BlockSize = 4096,
    };
}
