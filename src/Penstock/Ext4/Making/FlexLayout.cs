using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>
/// Lays out the structures of one flex group (of one group without flex_bg): first the block bitmaps of all its groups, then their inode
/// bitmaps, then their inode tables, around the superblocks and descriptors that groups begin with. It follows from the geometry alone,
/// so the groups of a large volume need not be kept in memory.
/// </summary>
internal sealed class FlexLayout
{
    private readonly VolumeGeometry geometry;
    private readonly GroupPlace[] places;
    private readonly List<SpaceRun> runs = [];
    private ulong next;
    private ulong end;

    public FlexLayout(VolumeGeometry geometry)
    {
        this.geometry = geometry;
        places = new GroupPlace[Math.Min(geometry.GroupsPerFlex, geometry.GroupCount)];
    }

    public static uint CountOf(VolumeGeometry geometry) => (geometry.GroupCount + geometry.GroupsPerFlex - 1) / geometry.GroupsPerFlex;

    /// <summary>The first group of the flex group in hand.</summary>
    public uint FirstGroup { get; private set; }

    /// <summary>How many groups it has.</summary>
    public int Count { get; private set; }

    /// <summary>The blocks that the structures take, in rising order and apart from each other.</summary>
    public IReadOnlyList<SpaceRun> Runs => runs;

    public GroupPlace this[int index] => places[index];

    /// <summary>Takes flex group <paramref name="number"/> in hand.</summary>
    /// <exception cref="FileSystemException">Its inode tables do not fit.</exception>
    public void MoveTo(uint number)
    {
        FirstGroup = number * geometry.GroupsPerFlex;
        Count = (int)Math.Min(geometry.GroupsPerFlex, geometry.GroupCount - FirstGroup);
        uint last = FirstGroup + (uint)Count - 1;
        next = geometry.FirstBlockOf(new BlockGroup(FirstGroup)).Value;
        end = geometry.FirstBlockOf(new BlockGroup(last)).Value + geometry.BlocksIn(new BlockGroup(last));
        runs.Clear();
        AddHeads();
        for (int i = 0; i < Count; i++)
        {
            places[i] = places[i] with { BlockBitmap = Take(1) };
        }

        for (int i = 0; i < Count; i++)
        {
            places[i] = places[i] with { InodeBitmap = Take(1) };
        }

        for (int i = 0; i < Count; i++)
        {
            places[i] = places[i] with { InodeTable = Take(geometry.InodeTableBlocks) };
        }

        runs.Sort(static (a, b) => a.First.CompareTo(b.First));
    }

    private void AddHeads()
    {
        for (uint group = FirstGroup; group < FirstGroup + (uint)Count; group++)
        {
            uint head = geometry.HeadBlocksOf(new BlockGroup(group));
            if (head > 0)
            {
                runs.Add(new SpaceRun(geometry.FirstBlockOf(new BlockGroup(group)), head));
            }
        }
    }

    private VolumeBlock Take(uint count)
    {
        next = AfterHeads(next, count);
        if (next + count > end)
        {
            throw new FileSystemException(IoFault.NoSpace, "the volume is too small for its inode tables: ask for fewer inodes or a larger volume");
        }

        var taken = new VolumeBlock(next);
        runs.Add(new SpaceRun(taken, count));
        next += count;
        return taken;
    }

    /// <summary>The first block from <paramref name="start"/> on at which <paramref name="count"/> blocks meet no group's head.</summary>
    private ulong AfterHeads(ulong start, uint count)
    {
        uint group = geometry.GroupOf(new VolumeBlock(start)).Value;
        for (; group < FirstGroup + (uint)Count; group++)
        {
            ulong first = geometry.FirstBlockOf(new BlockGroup(group)).Value;
            uint head = geometry.HeadBlocksOf(new BlockGroup(group));
            if (first >= start + count)
            {
                break;
            }

            if (start < first + head)
            {
                start = first + head;
            }
        }

        return start;
    }
}
