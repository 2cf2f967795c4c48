using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>One of the first files of a new volume: its inode, and the blocks of its map that are to be written.</summary>
internal sealed class MadeFile
{
    private readonly MakingContext context;

    public MadeFile(MakingContext context, uint number, ushort mode, ushort links = 1)
    {
        this.context = context;
        Number = new InodeNumber(number);
        Inode = InodeRecord.Create(context.Geometry.InodeSize, context.Superblock.WantExtraInodeSize);
        Inode.Mode = mode;
        Inode.LinkCount = links;
        Inode.Accessed = Inode.Modified = Inode.Changed = context.Time;
        Inode.Born = context.Time;
    }

    public InodeNumber Number { get; }

    public InodeRecord Inode { get; }

    /// <summary>The file's blocks, in its order.</summary>
    public List<SpaceRun> Runs { get; private set; } = [];

    /// <summary>The block at <paramref name="index"/> of the file.</summary>
    public VolumeBlock BlockAt(ulong index)
    {
        foreach (SpaceRun run in Runs)
        {
            if (index < run.Count)
            {
                return run.First + index;
            }

            index -= run.Count;
        }

        throw new ArgumentOutOfRangeException(nameof(index));
    }

    /// <summary>Takes blocks for the file, maps them, writes the blocks of the map, and records the size.</summary>
    public async ValueTask AllocateAsync(ulong blocks, VolumeBlock goal = default)
    {
        bool hasExtents = context.Superblock.Has(IncompatFeatures.Extents);
        ulong mapClusters = hasExtents ? 0 : await TakeForBlockMapAsync(blocks, goal).ConfigureAwait(false);
        if (hasExtents)
        {
            Runs = context.Space.Take(blocks, goal);
            Inode.Flags |= InodeFlags.Extents;
            mapClusters = await WriteExtentsAsync(blocks).ConfigureAwait(false);
        }

        ulong clusters = ((blocks + (uint)context.Geometry.ClusterRatio - 1) / (uint)context.Geometry.ClusterRatio) + mapClusters;
        Inode.Size = blocks * (uint)context.Geometry.BlockSize;
        SetStorage(clusters * (uint)context.Geometry.ClusterRatio);
    }

    /// <summary>Records how many blocks the file takes, those of its map too.</summary>
    public void SetStorage(ulong blocks)
    {
        bool hasHugeFile = context.Superblock.Has(ReadOnlyCompatFeatures.HugeFile);
        int blockSize = context.Geometry.BlockSize;
        if (!Inode.TrySetAllocatedBytes(blocks * (uint)blockSize, blockSize, hasHugeFile))
        {
            throw new FileSystemException(IoFault.FileTooLarge, "the journal is too large for a volume without huge_file");
        }
    }

    private async ValueTask<ulong> WriteExtentsAsync(ulong blocks)
    {
        List<ExtentLeaf> leaves = SplitIntoExtents(blocks);
        if (leaves.Count <= ExtentHeader.RootCapacity)
        {
            WriteLeaves(Inode.BlockField, leaves, 0, leaves.Count, ExtentHeader.RootCapacity);
            return 0;
        }

        int blockSize = context.Geometry.BlockSize;
        int capacity = ExtentHeader.CapacityOf(blockSize);
        int nodes = (leaves.Count + capacity - 1) / capacity;
        if (nodes > ExtentHeader.RootCapacity)
        {
            throw new FileSystemException(IoFault.NoSpace, "the free space is too fragmented for the journal: make it smaller");
        }

        new ExtentHeader((ushort)nodes, ExtentHeader.RootCapacity, 1).WriteTo(Inode.BlockField);
        byte[] block = new byte[blockSize];
        for (int node = 0; node < nodes; node++)
        {
            block.AsSpan().Clear();
            VolumeBlock place = context.Space.TakeOne();
            int first = node * capacity;
            new ExtentIndex(leaves[first].First, place).WriteTo(Inode.BlockField, node);
            WriteLeaves(block, leaves, first, Math.Min(capacity, leaves.Count - first), capacity);
            if (context.Checksum.IsUsed)
            {
                ExtentTail.Write(block, context.Checksum.SeedOf(Number, Inode.Generation));
            }

            await context.WriteBlockAsync(place, block).ConfigureAwait(false);
        }

        return (ulong)nodes;
    }

    private List<ExtentLeaf> SplitIntoExtents(ulong blocks)
    {
        var leaves = new List<ExtentLeaf>();
        uint next = 0;
        foreach (SpaceRun run in Runs)
        {
            for (ulong done = 0; done < run.Count && next < blocks;)
            {
                ulong length = Math.Min(Math.Min(run.Count - done, ExtentLeaf.MaxWrittenLength), blocks - next);
                leaves.Add(new ExtentLeaf(next, (ushort)length, false, run.First + done));
                done += length;
                next += (uint)length;
            }
        }

        return leaves;
    }

    private static void WriteLeaves(Span<byte> node, List<ExtentLeaf> leaves, int first, int count, int capacity)
    {
        new ExtentHeader((ushort)count, (ushort)capacity, 0).WriteTo(node);
        for (int i = 0; i < count; i++)
        {
            leaves[first + i].WriteTo(node, i);
        }
    }

    private async ValueTask<ulong> TakeForBlockMapAsync(ulong blocks, VolumeBlock goal)
    {
        var map = new BlockMapWriter(context, Inode);
        List<SpaceRun> all = context.Space.Take(map.CountMapBlocks(blocks) + blocks, goal);
        Runs = await map.WriteAsync(blocks, all).ConfigureAwait(false);
        return map.CountMapBlocks(blocks);
    }
}
