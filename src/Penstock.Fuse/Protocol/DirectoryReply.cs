using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>Packs the entries of READDIR and READDIRPLUS into a reply: each starts on 8 bytes, none is cut.</summary>
internal ref struct DirectoryReply(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    /// <summary>Bytes used so far, padding included.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes that one entry of READDIR takes.</summary>
    public static int SizeOf(int nameLength) => AlignUp(24 + nameLength);

    /// <summary>The bytes that one entry of READDIRPLUS takes.</summary>
    public static int SizeOfPlus(int nameLength) => AlignUp(128 + 24 + nameLength);

    /// <summary>Adds a struct fuse_dirent and its name. False when it does not fit; nothing is changed then.</summary>
    public bool TryAdd(ulong inode, ulong nextOffset, uint type, ReadOnlySpan<byte> name)
    {
        int size = SizeOf(name.Length);
        if (size > _destination.Length - Length)
        {
            return false;
        }

        Write(_destination.Slice(Length, size), inode, nextOffset, type, name);
        Length += size;
        return true;
    }

    /// <summary>Adds a struct fuse_direntplus and its name. A node id of 0 in the entry says that it was not looked up.</summary>
    public bool TryAddPlus(in FuseEntryOut entry, ulong inode, ulong nextOffset, uint type, ReadOnlySpan<byte> name)
    {
        int size = SizeOfPlus(name.Length);
        if (size > _destination.Length - Length)
        {
            return false;
        }

        Span<byte> at = _destination.Slice(Length, size);
        MemoryMarshal.Write(at, in entry);
        Write(at[128..], inode, nextOffset, type, name);
        Length += size;
        return true;
    }

    private static void Write(Span<byte> at, ulong inode, ulong nextOffset, uint type, ReadOnlySpan<byte> name)
    {
        var dirent = new FuseDirent { Inode = inode, NextOffset = nextOffset, NameLength = (uint)name.Length, Type = type };
        MemoryMarshal.Write(at, in dirent);
        name.CopyTo(at[24..]);
        at[(24 + name.Length)..].Clear();
    }

    private static int AlignUp(int size) => (size + 7) & ~7;
}
