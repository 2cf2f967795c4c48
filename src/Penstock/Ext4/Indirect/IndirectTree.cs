using System.Runtime.InteropServices;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Indirect;

/// <summary>
/// The block map of one inode: i_block and its indirect blocks. Reads need the mapping lock shared, changes exclusively. Every pointer is
/// checked when it is followed; there can be no loop, since the number of levels is fixed.
/// </summary>
internal sealed class IndirectTree(Ext4Volume volume, IBlockMapOwner owner)
{
    public Ext4Volume Volume => volume;

    public IBlockMapOwner Owner => owner;

    public uint PointersPerBlock { get; } = IndirectMap.PointersPerBlock(volume.Geometry.BlockSize);

    /// <summary>Goes towards <paramref name="block"/> as far as there are indirect blocks. The walk is the caller's to release.</summary>
    public async ValueTask<IndirectWalk> WalkAsync(ulong block)
    {
        if (!IndirectMap.TryFind(new FileBlock(block), volume.Geometry.BlockSize, out IndirectPath path))
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{owner.Number}: file block {block} is beyond what a block map can hold");
        }

        var walk = new IndirectWalk(block, path);
        try
        {
            while (!walk.IsComplete && PointerTo(walk, walk.Found) is { Value: not 0 } next)
            {
                walk.Add(await volume.Cache.GetAsync(next).ConfigureAwait(false));
            }

            return walk;
        }
        catch
        {
            walk.Release();
            throw;
        }
    }

    /// <summary>The pointer to the indirect block of <paramref name="level"/>, or, at the last level, to the file block itself.</summary>
    public VolumeBlock PointerTo(IndirectWalk walk, int level)
    {
        (ReadOnlySpan<byte> pointers, uint index, VolumeBlock node) = level == 0
            ? new Slot(owner.BlockField, walk.Path.Slot, default)
            : new Slot(walk.NodeAt(level - 1).Bytes, walk.Path[level - 1], walk.NodeAt(level - 1).Number);
        return Check(IndirectMap.ReadPointer(pointers, index), index, node);
    }

    /// <summary>The run at the walk's block, at most <paramref name="maxCount"/> blocks.</summary>
    public BlockRun RunAt(IndirectWalk walk, ulong maxCount)
    {
        if (!walk.IsComplete)
        {
            return BlockRun.Hole(new FileBlock(walk.Block), Math.Min(maxCount, SubtreeEnd(walk) - walk.Block));
        }

        (ReadOnlySpan<byte> pointers, uint index, uint end, VolumeBlock node) = LeafOf(walk);
        uint limit = (uint)Math.Min(end, index + Math.Min(maxCount, end));
        uint first = IndirectMap.ReadPointer(pointers, index);
        uint next = index + 1;
        while (next < limit && IndirectMap.ReadPointer(pointers, next) == (first == 0 ? 0 : first + (next - index)))
        {
            next++;
        }

        if (first == 0)
        {
            return BlockRun.Hole(new FileBlock(walk.Block), next - index);
        }

        Check(first, index, node);
        Check(first + (next - index - 1), next - 1, node);
        return new BlockRun(new FileBlock(walk.Block), new VolumeBlock(first), next - index, MapState.Mapped);
    }

    /// <summary>The first file block that the missing subtree, or the leaf's pointers, cover.</summary>
    public ulong SubtreeStart(IndirectWalk walk)
    {
        ulong origin = IndirectMap.RangeOf((int)walk.Path.Slot, volume.Geometry.BlockSize).First.Value;
        return walk.Path.Levels == 0 ? 0 : walk.Block - ((walk.Block - origin) % SubtreeSpan(walk));
    }

    /// <summary>The pointers among which the walk's block has its own, its index, and the end of those.</summary>
    public Leaf LeafOf(IndirectWalk walk) => walk.Path.Levels == 0
        ? new Leaf(owner.BlockField, walk.Path.Slot, IndirectMap.DirectCount, default)
        : new Leaf(
            walk.NodeAt(walk.Path.Levels - 1).Bytes, walk.Path[walk.Path.Levels - 1], PointersPerBlock, walk.NodeAt(walk.Path.Levels - 1).Number);

    /// <summary>Changes pointers of a level: of i_block where it is 0, else of the indirect block above it. One credit if it is not i_block.</summary>
    public void SetPointers(Handle handle, IndirectWalk walk, int level, uint index, uint count, uint first)
    {
        if (level == 0)
        {
            Span<byte> field = stackalloc byte[InodeRecord.BlockFieldSize];
            owner.BlockField.CopyTo(field);
            Write(field, index, count, first);
            owner.SetBlockField(field);
            return;
        }

        using BlockEdit edit = handle.Edit(walk.NodeAt(level - 1));
        Write(edit.Bytes, index, count, first);
    }

    /// <summary>Writes consecutive pointers from <paramref name="first"/> on, or zeros if it is 0.</summary>
    public static void Write(Span<byte> pointers, uint index, uint count, uint first)
    {
        for (uint i = 0; i < count; i++)
        {
            IndirectMap.WritePointer(pointers, index + i, first == 0 ? 0 : first + i);
        }
    }

    public static bool IsEmpty(ReadOnlySpan<byte> pointers) => !MemoryMarshal.Cast<byte, ulong>(pointers).ContainsAnyExcept(0UL);

    private ulong SubtreeEnd(IndirectWalk walk) => SubtreeStart(walk) + SubtreeSpan(walk);

    /// <summary>File blocks under the missing indirect block, or under the last one.</summary>
    private ulong SubtreeSpan(IndirectWalk walk)
    {
        ulong span = 1;
        for (int level = Math.Min(walk.Found, walk.Path.Levels - 1); level < walk.Path.Levels; level++)
        {
            span *= PointersPerBlock;
        }

        return span;
    }

    private VolumeBlock Check(uint pointer, uint index, VolumeBlock node) =>
        IndirectMap.CheckPointer(pointer, index, new InodeBlockLocation(owner.Number, node), volume.Geometry);

    /// <summary>Pointers, and one of them.</summary>
    private readonly ref struct Slot(ReadOnlySpan<byte> pointers, uint index, VolumeBlock node)
    {
        private readonly ReadOnlySpan<byte> _pointers = pointers;

        public void Deconstruct(out ReadOnlySpan<byte> pointers, out uint at, out VolumeBlock block)
        {
            pointers = _pointers;
            at = index;
            block = node;
        }
    }

    /// <summary>The pointers to file blocks that lie together, and one of them.</summary>
    internal readonly ref struct Leaf(ReadOnlySpan<byte> pointers, uint index, uint end, VolumeBlock node)
    {
        private readonly ReadOnlySpan<byte> _pointers = pointers;

        public void Deconstruct(out ReadOnlySpan<byte> pointers, out uint at, out uint limit, out VolumeBlock block)
        {
            pointers = _pointers;
            at = index;
            limit = end;
            block = node;
        }
    }
}
