using Penstock.Ext4.Extents;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>Brings a range of a file's map to what a fast commit says: there, and written or not.</summary>
internal sealed class FastCommitRange(Ext4FileSystem fileSystem, ExtentMapper mapper)
{
    /// <summary>Maps the range; its blocks are in use already.</summary>
    public async ValueTask PutAsync(BlockRun range)
    {
        for (ulong next = range.First.Value; next < range.End.Value;)
        {
            BlockRun wanted = range.From(new FileBlock(next), range.End.Value - next);
            BlockRun there = await mapper.MapAsync(wanted.First, wanted.Count).ConfigureAwait(false);
            wanted = wanted.From(wanted.First, Math.Min(there.Count, wanted.Count));
            next = wanted.End.Value;
            if (there.IsAllocated && there.Volume != wanted.Volume)
            {
                await mapper.RemoveAsync(wanted.First, wanted.Count).ConfigureAwait(false);
                await fileSystem.ChangeAsync(fileSystem.Volume.Blocks.CreditsToFree(wanted.Count), h => fileSystem.Volume.Blocks.ClaimAsync(h, wanted.Volume, wanted.Count)).ConfigureAwait(false);
                there = BlockRun.Hole(wanted.First, wanted.Count);
            }

            if (!there.IsAllocated)
            {
                await fileSystem.ChangeAsync(mapper.CreditsToAllocate(1), h => mapper.PutAsync(h, wanted)).ConfigureAwait(false);
            }
            else if (there.State != wanted.State)
            {
                await TurnAsync(wanted).ConfigureAwait(false);
            }
        }
    }

    private ValueTask TurnAsync(BlockRun wanted) => wanted.State == MapState.Unwritten
        ? mapper.ZeroAsync(wanted.First, wanted.Count)
        : fileSystem.ChangeAsync(mapper.CreditsToConvert(wanted.Count), h => mapper.ConvertAsync(h, wanted.First, wanted.Count));
}
