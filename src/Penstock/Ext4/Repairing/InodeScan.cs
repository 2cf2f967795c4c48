using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>Comes by every inode in use, in the order of their numbers, after the inode pass.</summary>
internal static class InodeScan
{
    /// <summary>Runs a function for each inode until it says that it has had enough. The record's bytes are good until it returns.</summary>
    public static async ValueTask RunAsync(CheckRun run, Func<uint, InodeRecord, ValueTask<bool>> use)
    {
        using AlignedBuffer block = run.Store.Allocate(1);
        InodeRecord record = InodeRecord.Create(run.Geometry.InodeSize);
        uint perBlock = run.Geometry.InodesPerBlock;
        for (uint group = 0; group < run.Geometry.GroupCount; group++)
        {
            uint inodes = run.Inodes.IsGroupEmpty(group) || run.Repair!.IsTableLost(group) ? 0 : run.InodesToScan(group);
            for (uint i = 0; i < inodes; i++)
            {
                if (i % perBlock == 0)
                {
                    await run.Store.ReadAsync(run.Descriptors[group].InodeTable.Value + (i / perBlock), 1, block.Segment).ConfigureAwait(false);
                }

                uint number = (group * run.Geometry.InodesPerGroup) + i + 1;
                if (!run.Inodes.IsUsed(number))
                {
                    continue;
                }

                record.Load(block.GetSpan().Slice((int)(i % perBlock) * run.Geometry.InodeSize, run.Geometry.InodeSize));
                if (await use(number, record).ConfigureAwait(false))
                {
                    return;
                }
            }
        }
    }
}
