using System.Runtime.InteropServices;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>What is done to the block bitmap of one open group. Every member needs the group's latch and waits for nothing.</summary>
internal sealed class GroupClusters(Ext4Volume volume)
{
    private const string Structure = "block bitmap";

    private VolumeGeometry Geometry => volume.Geometry;

    /// <summary>Words that a view of a group has.</summary>
    public int ViewLength => (int)((Geometry.ClustersPerGroup + 63) / 64);

    public static Span<ulong> Words(Span<byte> bitmap) => MemoryMarshal.Cast<byte, ulong>(bitmap);

    /// <summary>Whether the bitmap was never written, so that only <see cref="Group.SystemRanges"/> are in use.</summary>
    public bool IsUninit(Group group) => volume.GroupChecksum.IsUsed && group.Descriptor.Is(GroupFlags.BlockUninit);

    /// <summary>Whether the group was opened without its bitmap, which somebody has made since: it must be opened again.</summary>
    public bool IsStale(in OpenGroup open) => open.Bitmap is null && !IsUninit(open.Group);

    /// <summary>
    /// Fills <paramref name="view"/> with what cannot be taken: clusters in use, freed but not yet committed, claimed by the windows of others.
    /// </summary>
    /// <exception cref="CorruptVolumeException">The bitmap is damaged; the group is not used any more.</exception>
    public void Look(in OpenGroup open, Span<ulong> view, AllocationWindow? own, bool respectsWindows)
    {
        Judge(open);
        Group group = open.Group;
        Show(open, view);
        if (group.Pending is { } pending)
        {
            for (int i = 0; i < view.Length; i++)
            {
                view[i] |= pending[i];
            }
        }

        if (respectsWindows && group.Windows is { } windows)
        {
            foreach (AllocationWindow window in windows)
            {
                if (!ReferenceEquals(window, own))
                {
                    BitmapSearch.Set(view, window.Range);
                }
            }
        }
    }

    /// <summary>Marks clusters as in use: two credits.</summary>
    /// <exception cref="CorruptVolumeException">They are the volume's own; the group is not used any more.</exception>
    public BlockSpan Take(Handle handle, in OpenGroup open, ClusterRange range)
    {
        Group group = open.Group;
        RequireNotSystem(group, range, "free in the bitmap");
        MetadataBlock bitmap = open.Bitmap ?? volume.Cache.GetNew(group.BlockBitmap);
        try
        {
            using BlockEdit edit = handle.Edit(bitmap);
            if (IsUninit(group))
            {
                FillNew(group, Words(edit.Bytes), (uint)edit.Bytes.Length * 8);
                group.Descriptor.Flags &= ~GroupFlags.BlockUninit;
                bitmap.IsJudged = true;
            }

            BitmapSearch.Set(Words(edit.Bytes), range);
            group.Descriptor.FreeClusters -= range.Count;
            Seal(group, edit.Bytes);
        }
        finally
        {
            if (open.Bitmap is null)
            {
                bitmap.Unpin();
            }
        }

        group.StoreDescriptor(handle, open.Descriptor);
        return ToBlocks(group, range);
    }

    /// <summary>Marks the first run of free clusters in a range as in use: how many, and where to look for the next.</summary>
    /// <exception cref="CorruptVolumeException">The bitmap is damaged, or they are the volume's own; the group is not used any more.</exception>
    public uint TakeFree(Handle handle, in OpenGroup open, ClusterRange range, out uint next)
    {
        Judge(open);
        RequireNotSystem(open.Group, range, "claimed for a file");
        Span<ulong> view = new ulong[ViewLength];
        Show(open, view);
        uint first = BitmapSearch.NextClear(view, range.First, range.End);
        next = range.End;
        if (first < range.End)
        {
            next = BitmapSearch.NextSet(view, first, range.End);
            Take(handle, open, new ClusterRange(first, next - first));
        }

        return next - first;
    }

    /// <summary>Marks clusters as free, but not yet to be reused if <paramref name="isPending"/>: two credits.</summary>
    /// <exception cref="CorruptVolumeException">They are free already, or the volume's own; nothing was changed.</exception>
    public void Release(Handle handle, in OpenGroup open, ClusterRange range, bool isPending)
    {
        Group group = open.Group;
        Judge(open);
        RequireNotSystem(group, range, "freed by a file");
        if (open.Bitmap is null || !BitmapSearch.IsAllSet(MemoryMarshal.Cast<byte, ulong>(open.Bitmap.Bytes), range))
        {
            throw Damaged(group, "bits", $"clear somewhere in clusters {range.First}+{range.Count}, which a file frees");
        }

        using (BlockEdit edit = handle.Edit(open.Bitmap))
        {
            BitmapSearch.Clear(Words(edit.Bytes), range);
            group.Descriptor.FreeClusters += range.Count;
            Seal(group, edit.Bytes);
        }

        if (isPending)
        {
            Hold(group, range);
        }
        else
        {
            group.LongestRun = uint.MaxValue;
        }

        group.StoreDescriptor(handle, open.Descriptor);
    }

    /// <summary>Keeps free clusters from being taken.</summary>
    public void Hold(Group group, ClusterRange range)
    {
        group.Pending ??= new ulong[ViewLength];
        BitmapSearch.Set(group.Pending, range);
        group.PendingCount += range.Count;
    }

    /// <summary>Lets clusters that were held be taken again.</summary>
    public static void LetGo(Group group, ClusterRange range)
    {
        BitmapSearch.Clear(group.Pending, range);
        group.PendingCount -= range.Count;
        group.LongestRun = uint.MaxValue;
        if (group.PendingCount == 0)
        {
            group.Pending = null;
        }
    }

    public BlockSpan ToBlocks(Group group, ClusterRange range) => new(
        Geometry.FirstBlockOf(group.Number) + ((ulong)range.First << Geometry.LogClusterRatio),
        (ulong)range.Count << Geometry.LogClusterRatio);

    /// <summary>Checks the bitmap, once a load.</summary>
    private void Judge(in OpenGroup open)
    {
        Group group = open.Group;
        if (group.Damage is { } damage)
        {
            throw damage;
        }

        if (group.IsBlockBitmapJudged && open.Bitmap is not { IsJudged: false })
        {
            return;
        }

        if (open.Bitmap is { } bitmap)
        {
            CheckChecksum(group, bitmap.Bytes);
        }

        Span<ulong> view = new ulong[ViewLength];
        Show(open, view);
        uint free = BitmapSearch.CountClear(view, Geometry.ClustersIn(group.Number));
        if (free != group.Descriptor.FreeClusters)
        {
            throw Damaged(group, "free bits", $"{free}, bg_free_blocks_count is {group.Descriptor.FreeClusters}");
        }

        group.IsBlockBitmapJudged = true;
        if (open.Bitmap is { } judged)
        {
            judged.IsJudged = true;
        }
    }

    private void CheckChecksum(Group group, ReadOnlySpan<byte> bitmap)
    {
        if (volume.GroupChecksum.CoversBitmaps)
        {
            uint computed = volume.GroupChecksum.ComputeBitmap(bitmap, Geometry.ClustersPerGroup, Geometry.DescriptorSize);
            uint stored = group.Descriptor.BlockBitmapChecksum;
            if (computed != stored)
            {
                throw Damaged(group, "bg_block_bitmap_csum", $"0x{stored:x}, computed 0x{computed:x}");
            }
        }
    }

    /// <summary>Fills the view with the clusters in use; those beyond the group's end are.</summary>
    private void Show(in OpenGroup open, Span<ulong> view)
    {
        Group group = open.Group;
        if (open.Bitmap is null)
        {
            FillNew(group, view, (uint)view.Length * 64);
            return;
        }

        view.Fill(ulong.MaxValue);
        open.Bitmap.Bytes[..(int)(Geometry.ClustersPerGroup / 8)].CopyTo(MemoryMarshal.AsBytes(view));
        uint clusters = Geometry.ClustersIn(group.Number);
        BitmapSearch.Set(view, new ClusterRange(clusters, (uint)(view.Length * 64) - clusters));
    }

    /// <summary>The bitmap as a group has it in which no file has blocks: the volume's own structures, and the padding at the end.</summary>
    private void FillNew(Group group, Span<ulong> words, uint bits)
    {
        words.Clear();
        foreach (ClusterRange range in group.SystemRanges!)
        {
            BitmapSearch.Set(words, range);
        }

        uint clusters = Geometry.ClustersIn(group.Number);
        BitmapSearch.Set(words, new ClusterRange(clusters, bits - clusters));
    }

    private void Seal(Group group, ReadOnlySpan<byte> bitmap)
    {
        if (volume.GroupChecksum.CoversBitmaps)
        {
            group.Descriptor.BlockBitmapChecksum =
                volume.GroupChecksum.ComputeBitmap(bitmap, Geometry.ClustersPerGroup, Geometry.DescriptorSize);
        }
    }

    private static void RequireNotSystem(Group group, ClusterRange range, string finding)
    {
        foreach (ClusterRange system in group.SystemRanges!)
        {
            if (system.Overlaps(range))
            {
                throw Damaged(group, "bits", $"of the volume's own structures (clusters {system.First}+{system.Count}), {finding}");
            }
        }
    }

    private static CorruptVolumeException Damaged(Group group, string field, string value) =>
        group.Condemn(new CorruptVolumeException(Structure, group.ToString(), field, value));
}
