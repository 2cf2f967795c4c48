using System.Text;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Testing.InMemory;

/// <summary>An inode of a <see cref="MemoryTree"/>: a file as its base has it, or a directory, link or device that is all in memory.</summary>
internal sealed class MemoryNode : MemoryInode
{
    public MemoryNode(MemoryFileSystem fileSystem, InodeNumber number, in InodeAttributes attributes, byte[] linkTarget)
        : base(fileSystem, number, attributes, MemoryFileKind.Extents)
    {
        LinkTarget = linkTarget;
        Size = Kind == FileKind.Directory ? fileSystem.BlockSize : linkTarget.Length;
        StoredSize = Size;
    }

    /// <summary>The entries of a directory by name; each keeps its position for good.</summary>
    public Dictionary<FileName, (InodeNumber Number, ulong Position)> Entries { get; } = [];

    public byte[] LinkTarget { get; }

    /// <summary>The directory above.</summary>
    public InodeNumber Parent { get; set; }

    /// <summary>The next entry's position: 1 and 2 are "." and "..".</summary>
    public ulong NextPosition { get; set; } = 3;

    public override ValueTask<byte[]> ReadLinkAsync() => new(LinkTarget);

    public void AddLinks(int count) =>
        Change((count, FileSystem.Now), static (ref InodeAttributes a, (int Count, Timestamp Now) c) =>
        {
            a.Links = (uint)(a.Links + c.Count);
            a.ChangeTime = c.Now;
        });

    public override string ToString() => $"{Number} ({string.Join(' ', Entries.Keys.Select(k => Encoding.UTF8.GetString(k.Bytes)))})";
}
