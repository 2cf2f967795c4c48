using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>The block of multiple-mount protection.</summary>
internal static class MmpCheck
{
    private const string Structure = "mmp block";

    /// <summary>Judges the block; false if a checker has the volume, or died with it: nothing else is looked at then, and nothing is changed.</summary>
    public static async ValueTask<bool> RunAsync(CheckRun run)
    {
        if (!run.Has(IncompatFeatures.Mmp))
        {
            return true;
        }

        ulong block = run.Superblock.MmpBlock;
        if (block <= run.Geometry.SuperblockBlock.Value || !run.Contains(block))
        {
            if (run.Mends("superblock", "offset 1024", $"s_mmp_block is {block}"))
            {
                // e2fsck makes such a volume one that nobody can open; without the feature it is as it was, unprotected.
                run.Superblock.Features = run.Superblock.Features.Without(IncompatFeatures.Mmp);
                await run.Repair!.WriteSuperblockAsync().ConfigureAwait(false);
            }

            return true;
        }

        using AlignedBuffer buffer = run.Store.Allocate(1);
        bool isRead = await run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false);
        if ((isRead ? FindFault(run, buffer.GetSpan(), block) : "it cannot be read") is { } fault)
        {
            if (run.Mends(Structure, $"block {block}", fault))
            {
                await WriteCleanAsync(run, buffer, block).ConfigureAwait(false);
            }

            return true;
        }

        MmpBlock read = MmpBlock.Parse(buffer.GetSpan(), new VolumeBlock(block), run.Checksum);
        if (read.IsClean || read.Sequence <= MmpBlock.SequenceMax)
        {
            return true;
        }

        run.Log.Problem(Structure, $"block {block}", $"mmp_seq is 0x{read.Sequence:x8}: a checker has the volume, or died with it");
        return false;
    }

    private static string? FindFault(CheckRun run, ReadOnlySpan<byte> block, ulong number)
    {
        try
        {
            MmpBlock.Parse(block, new VolumeBlock(number), run.Checksum);
            return null;
        }
        catch (CorruptVolumeException e)
        {
            return $"{e.Field} is {e.Value}";
        }
    }

    private static async ValueTask WriteCleanAsync(CheckRun run, AlignedBuffer buffer, ulong block)
    {
        var clean = new MmpBlock(MmpBlock.SequenceClean, (ulong)run.Repair!.Now.Seconds, string.Empty, string.Empty, run.Superblock.MmpInterval);
        clean.WriteTo(buffer.GetSpan(), run.Checksum);
        await run.Repair.WriteAsync(block, buffer.Segment).ConfigureAwait(false);
    }
}
