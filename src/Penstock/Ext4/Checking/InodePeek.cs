using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>Reads single inodes. Used by one activity.</summary>
internal sealed class InodePeek(CheckRun run) : IDisposable
{
    private readonly AlignedBuffer _block = run.Store.Allocate(1);
    private readonly InodeRecord _record = InodeRecord.Create(run.Geometry.InodeSize);

    public void Dispose() => ((IDisposable)_block).Dispose();

    /// <summary>An inode's bytes, until the next call; null if they cannot be had.</summary>
    public async ValueTask<InodeRecord?> ReadAsync(uint number)
    {
        InodeLocation location = run.Geometry.Locate(new InodeNumber(number));
        VolumeBlock table = run.Descriptors[location.Group.Value].InodeTable;
        ulong block = table.Value + location.TableBlock;
        if (!run.Contains(block) || !await run.Store.ReadAsync(block, 1, _block.Segment).ConfigureAwait(false))
        {
            return null;
        }

        _record.Load(_block.GetSpan().Slice(location.OffsetInBlock, run.Geometry.InodeSize));
        return _record;
    }
}
