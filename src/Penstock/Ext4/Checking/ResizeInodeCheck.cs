using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>
/// The inode that keeps room for more descriptors: its double indirect block leads to the reserve of group 0, and each block of that to the same one of
/// every backup. One that is made otherwise does no harm until somebody wants the volume to grow, so it is a note.
/// </summary>
internal static class ResizeInodeCheck
{
    public static async ValueTask RunAsync(CheckRun run)
    {
        if (!run.Has(CompatFeatures.ResizeInode) || run.Repair is { State.NeedsResizeInode: true })
        {
            return;
        }

        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(ResizeInodeLayout.Number).ConfigureAwait(false) is { } inode && !await IsSoundAsync(run, inode).ConfigureAwait(false)
            && run.MendsNote("resize inode", $"inode {ResizeInodeLayout.Number}", "it does not lead to the reserve behind the descriptors"))
        {
            await GiveUpAsync(run, inode).ConfigureAwait(false);
        }
    }

    /// <summary>Empties the inode; it is made anew once everything else is sound.</summary>
    public static async ValueTask GiveUpAsync(CheckRun run, InodeRecord inode)
    {
        run.Repair!.State.NeedsResizeInode = true;
        inode.Bytes.Clear();
        await run.Repair.WriteInodeAsync(ResizeInodeLayout.Number, inode).ConfigureAwait(false);
    }

    private static async ValueTask<bool> IsSoundAsync(CheckRun run, InodeRecord inode)
    {
        byte[] root = inode.BlockField.ToArray();
        uint map = IndirectMap.ReadPointer(root, IndirectMap.DoubleIndirectSlot);
        IndirectMap.WritePointer(root, IndirectMap.DoubleIndirectSlot, 0);
        if (!inode.IsRegular || inode.LinkCount == 0 || root.AsSpan().ContainsAnyExcept((byte)0) || !run.Contains(map))
        {
            return false;
        }

        using AlignedBuffer primaries = run.Store.Allocate(1);
        using AlignedBuffer copies = run.Store.Allocate(1);
        if (!await run.Store.ReadAsync(map, 1, primaries.Segment).ConfigureAwait(false))
        {
            return false;
        }

        VolumeGeometry geometry = run.Geometry;
        uint pointers = IndirectMap.PointersPerBlock(run.BlockSize);

        // Like e2fsck, the first quarter of the reserve stands for all of it.
        for (uint i = 0; i < run.Superblock.ReservedDescriptorBlocks / 4u; i++)
        {
            uint place = geometry.DescriptorBlockCount + i;
            ulong primary = geometry.SuperblockBlock.Value + 1 + place;
            bool isRight = IndirectMap.ReadPointer(primaries.GetSpan(), place % pointers) == primary
                && await run.Store.ReadAsync(primary, 1, copies.Segment).ConfigureAwait(false) && LeadsToCopies(geometry, copies.GetSpan(), primary);
            if (!isRight)
            {
                return false;
            }
        }

        return true;
    }

    private static bool LeadsToCopies(VolumeGeometry geometry, ReadOnlySpan<byte> block, ulong primary)
    {
        uint slot = 0;
        for (uint group = 1; group < geometry.GroupCount && slot < IndirectMap.PointersPerBlock(block.Length); group++)
        {
            if (geometry.HasSuperblock(new BlockGroup(group)) && IndirectMap.ReadPointer(block, slot++) != primary + ((ulong)group * geometry.BlocksPerGroup))
            {
                return false;
            }
        }

        return true;
    }
}
