using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>Maps a file without holes by indirect blocks, which lie before its data.</summary>
internal sealed class BlockMapWriter(MakingContext context, InodeRecord inode)
{
    private readonly int blockSize = context.Geometry.BlockSize;

    /// <summary>How many indirect blocks a file of so many blocks needs.</summary>
    public ulong CountMapBlocks(ulong blocks)
    {
        ulong pointers = IndirectMap.PointersPerBlock(blockSize);
        ulong count = 0;
        for (int level = 1; level <= IndirectMap.MaxLevels; level++)
        {
            (FileBlock first, ulong span) = IndirectMap.RangeOf(IndirectMap.DirectCount - 1 + level, blockSize);
            if (blocks <= first.Value)
            {
                break;
            }

            // Nodes at each depth of this tree, from the lowest up.
            ulong below = Math.Min(blocks - first.Value, span);
            for (int depth = 0; depth < level; depth++)
            {
                below = (below + pointers - 1) / pointers;
                count += below;
            }
        }

        return count;
    }

    /// <summary>Writes the map.</summary>
    /// <param name="blocks">Blocks of the file.</param>
    /// <param name="space">Room for the map's blocks and the file's.</param>
    /// <returns>The file's blocks.</returns>
    public async ValueTask<List<SpaceRun>> WriteAsync(ulong blocks, List<SpaceRun> space)
    {
        (List<SpaceRun> mapSpace, List<SpaceRun> fileSpace) = Split(space, CountMapBlocks(blocks));
        using IEnumerator<uint> map = Each(mapSpace).GetEnumerator();
        using IEnumerator<uint> file = Each(fileSpace).GetEnumerator();
        ulong rest = blocks;
        for (uint slot = 0; slot < IndirectMap.SlotCount && rest > 0; slot++)
        {
            int level = Math.Max(0, (int)slot - IndirectMap.DirectCount + 1);
            (uint pointer, rest) = await WriteTreeAsync(level, rest, map, file).ConfigureAwait(false);
            IndirectMap.WritePointer(inode.BlockField, slot, pointer);
        }

        return fileSpace;
    }

    private async ValueTask<(uint Pointer, ulong Left)> WriteTreeAsync(int level, ulong rest, IEnumerator<uint> map, IEnumerator<uint> file)
    {
        IEnumerator<uint> source = level == 0 ? file : map;
        source.MoveNext();
        uint place = source.Current;
        if (level == 0)
        {
            return (place, rest - 1);
        }

        byte[] block = new byte[blockSize];
        for (uint i = 0; i < IndirectMap.PointersPerBlock(blockSize) && rest > 0; i++)
        {
            (uint child, rest) = await WriteTreeAsync(level - 1, rest, map, file).ConfigureAwait(false);
            IndirectMap.WritePointer(block, i, child);
        }

        await context.WriteBlockAsync(new VolumeBlock(place), block).ConfigureAwait(false);
        return (place, rest);
    }

    private static IEnumerable<uint> Each(List<SpaceRun> runs)
    {
        foreach (SpaceRun run in runs)
        {
            for (ulong i = 0; i < run.Count; i++)
            {
                yield return checked((uint)(run.First.Value + i));
            }
        }
    }

    private static (List<SpaceRun> First, List<SpaceRun> Others) Split(List<SpaceRun> runs, ulong count)
    {
        var first = new List<SpaceRun>();
        var rest = new List<SpaceRun>();
        foreach (SpaceRun run in runs)
        {
            ulong part = Math.Min(count, run.Count);
            if (part > 0)
            {
                first.Add(new SpaceRun(run.First, part));
            }

            if (part < run.Count)
            {
                rest.Add(new SpaceRun(run.First + part, run.Count - part));
            }

            count -= part;
        }

        return (first, rest);
    }
}
