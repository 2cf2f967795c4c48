using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>Cuts a file back to its size, as who had opened it was about to do.</summary>
internal sealed class FileCut(CheckRun run, Repair repair)
{
    /// <summary>Drops the blocks behind the size and zeroes the rest of the last one; the inode itself is not written.</summary>
    public async ValueTask RunAsync(uint number, InodeRecord inode)
    {
        bool hasMap = (inode.IsRegular || inode.IsDirectory || inode.IsSymbolicLink) && !inode.Is(InodeFlags.InlineContents)
            && !(inode.IsSymbolicLink && inode.Size < InodeRecord.BlockFieldSize);
        var map = new FileMap(run, repair, number);
        if (!hasMap || !await map.LoadAsync(inode).ConfigureAwait(false))
        {
            return;
        }

        ulong blockSize = (ulong)run.BlockSize;
        bool isCut = map.CutFrom((inode.Size + blockSize - 1) / blockSize);
        await ZeroTailAsync(map, inode.Size).ConfigureAwait(false);
        if (isCut)
        {
            ulong attributes = inode.AttributeBlock.Value != 0 ? 1u : 0u;
            await map.StoreAsync(inode, attributes).ConfigureAwait(false);
        }
    }

    private async ValueTask ZeroTailAsync(FileMap map, ulong size)
    {
        int rest = (int)(size % (ulong)run.BlockSize);
        if (rest == 0 || map.Runs.Count == 0 || map.Runs[^1] is not { IsUnwritten: false } last || last.End != (size / (ulong)run.BlockSize) + 1)
        {
            return;
        }

        ulong block = last.Volume + last.Count - 1;
        using AlignedBuffer buffer = run.Store.Allocate(1);
        if (await run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false) && buffer.GetSpan()[rest..].ContainsAnyExcept((byte)0))
        {
            buffer.GetSpan()[rest..].Clear();
            await repair.WriteAsync(block, buffer.Segment).ConfigureAwait(false);
        }
    }
}
