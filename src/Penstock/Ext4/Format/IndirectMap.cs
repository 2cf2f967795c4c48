using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// The block map of ext2/3: i_block holds 12 blocks of the file, then the roots of trees one, two and three levels deep whose nodes are blocks
/// full of 32-bit block numbers. See https://docs.kernel.org/filesystems/ext4/dynamic.html#direct-indirect-block-addressing.
/// </summary>
internal static class IndirectMap
{
    public const int DirectCount = 12;
    public const int IndirectSlot = 12;
    public const int DoubleIndirectSlot = 13;
    public const int TripleIndirectSlot = 14;
    public const int SlotCount = 15;
    public const int PointerSize = 4;
    public const int MaxLevels = 3;

    /// <summary>Block numbers have 32 bits: nothing beyond can be mapped.</summary>
    public const ulong MaxVolumeBlock = uint.MaxValue;

    public static uint PointersPerBlock(int blockSize) => (uint)blockSize / PointerSize;

    /// <summary>File blocks that can be mapped at all; file blocks are numbered with 32 bits.</summary>
    public static ulong Capacity(int blockSize)
    {
        ulong pointers = PointersPerBlock(blockSize);
        ulong all = DirectCount + pointers + (pointers * pointers) + (pointers * pointers * pointers);
        return Math.Min(all, uint.MaxValue);
    }

    public static uint ReadPointer(ReadOnlySpan<byte> pointers, uint index) => U32(pointers, (int)index * PointerSize);

    public static void WritePointer(Span<byte> pointers, uint index, uint block) => U32(pointers, (int)index * PointerSize, block);

    /// <summary>The way to a file block.</summary>
    /// <returns>False if it lies beyond <see cref="Capacity"/>.</returns>
    public static bool TryFind(FileBlock block, int blockSize, out IndirectPath path)
    {
        path = default;
        if (block.Value >= Capacity(blockSize))
        {
            return false;
        }

        ulong rest = block.Value;
        if (rest < DirectCount)
        {
            path = new IndirectPath((uint)rest, 0, 0, 0, 0);
            return true;
        }

        rest -= DirectCount;
        ulong pointers = PointersPerBlock(blockSize);
        ulong span = pointers;
        int levels = 1;
        while (rest >= span)
        {
            rest -= span;
            span *= pointers;
            levels++;
        }

        uint third = (uint)(rest % pointers);
        uint second = (uint)(rest / pointers % pointers);
        uint first = (uint)(rest / (pointers * pointers));
        path = levels switch
        {
            1 => new IndirectPath(IndirectSlot, 1, third, 0, 0),
            2 => new IndirectPath(DoubleIndirectSlot, 2, second, third, 0),
            _ => new IndirectPath(TripleIndirectSlot, 3, first, second, third),
        };
        return true;
    }

    /// <summary>The first file block and the number of file blocks under a slot of i_block.</summary>
    public static (FileBlock First, ulong Count) RangeOf(int slot, int blockSize)
    {
        ulong pointers = PointersPerBlock(blockSize);
        return slot switch
        {
            < DirectCount => (new FileBlock((uint)slot), 1),
            IndirectSlot => (new FileBlock(DirectCount), pointers),
            DoubleIndirectSlot => (new FileBlock(DirectCount + pointers), pointers * pointers),
            _ => (new FileBlock(DirectCount + pointers + (pointers * pointers)), pointers * pointers * pointers),
        };
    }

    /// <summary>Checks a pointer of i_block or of an indirect block; 0 is a hole.</summary>
    /// <exception cref="CorruptVolumeException">It points outside the volume.</exception>
    public static VolumeBlock CheckPointer(uint pointer, uint index, InodeBlockLocation location, VolumeGeometry geometry)
    {
        var block = new VolumeBlock(pointer);
        bool isPossible = pointer == 0 || (geometry.Contains(block) && block != location.Block);
        FormatCheck.Require(isPossible, "indirect block", location, "block pointer", $"{pointer} in entry {index}, not on the volume");
        return block;
    }
}
