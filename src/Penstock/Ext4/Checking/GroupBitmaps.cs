using System.Numerics;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>The bitmaps of one group after the other. Used by one activity.</summary>
internal sealed class GroupBitmaps(CheckRun run)
{
    private readonly byte[] _expected = new byte[run.BlockSize];

    /// <summary>Judges a block bitmap and the count of free clusters.</summary>
    /// <param name="group">The group.</param>
    /// <param name="stored">The bitmap's block; empty if the group has none yet, or it cannot be read.</param>
    /// <returns>Clusters that are free.</returns>
    public uint CheckBlocks(uint group, ReadOnlySpan<byte> stored)
    {
        GroupDescriptor d = run.Descriptors[group];
        int units = (int)run.Geometry.ClustersIn(new BlockGroup(group));
        ulong first = run.UnitOf(run.Geometry.FirstBlockOf(new BlockGroup(group)).Value);
        run.Used.CopyTo(first, units, _expected);
        uint used = CountBits(_expected.AsSpan(0, (units + 7) / 8));
        if (d.Is(GroupFlags.BlockUninit))
        {
            CheckUninit(group, units, first);
        }
        else if (stored.IsEmpty)
        {
            run.Log.Problem("block bitmap", $"group {group}", "it cannot be read");
        }
        else
        {
            Compare("block bitmap", group, stored, units, "block", run.Geometry.FirstBlockOf(new BlockGroup(group)).Value, run.Geometry.ClusterRatio);
            CheckSum("block bitmap", group, stored, run.Geometry.ClustersPerGroup, d.BlockBitmapChecksum);
            bool isLast = group == run.Geometry.GroupCount - 1;
            CheckPadding("block bitmap", group, stored, isLast ? units : (int)run.Geometry.ClustersPerGroup);
        }

        if (d.FreeClusters != (uint)units - used)
        {
            run.Log.Problem("group descriptor", $"group {group}", $"bg_free_blocks_count is {d.FreeClusters}, expected {units - used}");
        }

        return (uint)units - used;
    }

    /// <summary>Judges an inode bitmap, and the counts of free inodes and of directories.</summary>
    public (uint Free, uint Directories) CheckInodes(uint group, ReadOnlySpan<byte> stored)
    {
        GroupDescriptor d = run.Descriptors[group];
        int count = (int)run.Geometry.InodesPerGroup;
        uint directories = FillInodes(group, count);
        uint used = CountBits(_expected.AsSpan(0, (count + 7) / 8));
        if (d.Is(GroupFlags.InodeUninit) && !run.Distrusted.Contains(group))
        {
            if (used > 0)
            {
                run.Log.Problem("group descriptor", $"group {group}", $"{used} inodes are in use, and the group is marked uninitialised");
            }
        }
        else if (stored.IsEmpty)
        {
            run.Log.Problem("inode bitmap", $"group {group}", "it cannot be read");
        }
        else
        {
            Compare("inode bitmap", group, stored, count, "inode", ((ulong)group * (uint)count) + 1, 1);
            CheckSum("inode bitmap", group, stored, run.Geometry.InodesPerGroup, d.InodeBitmapChecksum);
            CheckPadding("inode bitmap", group, stored, count);
        }

        if (d.FreeInodes != (uint)count - used)
        {
            run.Log.Problem("group descriptor", $"group {group}", $"bg_free_inodes_count is {d.FreeInodes}, expected {count - used}");
        }

        if (d.UsedDirectories != directories)
        {
            run.Log.Problem("group descriptor", $"group {group}", $"bg_used_dirs_count is {d.UsedDirectories}, expected {directories}");
        }

        return ((uint)count - used, directories);
    }

    private uint FillInodes(uint group, int count)
    {
        _expected.AsSpan(0, (count + 7) / 8).Clear();
        if (run.Inodes.IsGroupEmpty(group))
        {
            return 0;
        }

        uint directories = 0;
        for (int i = 0; i < count; i++)
        {
            InodeTraits traits = run.Inodes.TraitsOf((group * (uint)count) + (uint)i + 1);
            if ((traits & InodeTraits.InUse) != 0)
            {
                _expected[i >> 3] |= (byte)(1 << (i & 7));
                bool isDirectory = (DirectoryFileType)(traits & InodeTraits.KindMask) == DirectoryFileType.Directory;
                directories += isDirectory ? 1u : 0u;
            }
        }

        return directories;
    }

    /// <summary>A bitmap that was never written stands for a group whose only blocks in use are the volume's own.</summary>
    private void CheckUninit(uint group, int units, ulong first)
    {
        for (int i = 0; i < units; i++)
        {
            if ((_expected[i >> 3] >> (i & 7) & 1) != 0)
            {
                ulong block = ((first + (uint)i) << run.Geometry.LogClusterRatio) + run.Geometry.FirstDataBlock.Value;
                if (!run.Metadata.Intersects(block, (ulong)run.Geometry.ClusterRatio))
                {
                    run.Log.Problem("group descriptor", $"group {group}", $"block {block} is in use, and the group is marked uninitialised");
                    return;
                }
            }
        }
    }

    private void Compare(string structure, uint group, ReadOnlySpan<byte> stored, int count, string what, ulong first, int step)
    {
        int whole = count / 8;
        bool isSame = stored[..whole].SequenceEqual(_expected.AsSpan(0, whole));
        if (count % 8 != 0)
        {
            isSame &= ((stored[whole] ^ _expected[whole]) & ((1 << (count % 8)) - 1)) == 0;
        }

        if (isSame)
        {
            return;
        }

        (int wrong, int firstWrong, bool isMarked) = (0, -1, false);
        for (int i = 0; i < count; i++)
        {
            int difference = (stored[i >> 3] ^ _expected[i >> 3]) >> (i & 7) & 1;
            if (difference != 0 && wrong++ == 0)
            {
                (firstWrong, isMarked) = (i, (stored[i >> 3] >> (i & 7) & 1) != 0);
            }
        }

        string state = isMarked ? "is marked and not in use" : "is in use and not marked";
        run.Log.Problem(structure, $"group {group}", $"{what} {first + (ulong)((long)firstWrong * step)} {state}; {wrong} bits are wrong");
    }

    private void CheckSum(string structure, uint group, ReadOnlySpan<byte> stored, uint bits, uint checksum)
    {
        if (run.GroupChecksum.CoversBitmaps && run.GroupChecksum.ComputeBitmap(stored, bits, run.Geometry.DescriptorSize) != checksum)
        {
            run.Log.Problem(structure, $"group {group}", "its checksum in the group descriptor does not match");
        }
    }

    private void CheckPadding(string structure, uint group, ReadOnlySpan<byte> stored, int count)
    {
        for (int i = count; i < stored.Length * 8; i++)
        {
            if ((stored[i >> 3] >> (i & 7) & 1) == 0)
            {
                run.Log.Problem(structure, $"group {group}", "the padding at its end is not set");
                return;
            }

            if ((i & 7) == 0 && !stored[(i >> 3)..].ContainsAnyExcept((byte)0xFF))
            {
                return;
            }
        }
    }

    public static uint CountBits(ReadOnlySpan<byte> bits)
    {
        uint sum = 0;
        while (bits.Length >= 8)
        {
            sum += (uint)BitOperations.PopCount(System.Runtime.InteropServices.MemoryMarshal.Read<ulong>(bits));
            bits = bits[8..];
        }

        foreach (byte next in bits)
        {
            sum += (uint)BitOperations.PopCount(next);
        }

        return sum;
    }
}
