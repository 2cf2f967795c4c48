using Penstock.Ext4.Allocation;

namespace Penstock.Ext4;

/// <summary>On whose account new nodes of a map are: the file's promise as long as it lasts, then <paramref name="Otherwise"/>.</summary>
internal readonly record struct NodeSpace(MapReservation? Promise, SpaceUse Otherwise)
{
    /// <summary>For the nodes that a removal or a conversion needs: it must not fail half-way.</summary>
    public static NodeSpace Essential => new(null, SpaceUse.Essential);

    /// <summary>Takes one block, on the promise if it can.</summary>
    public async ValueTask<BlockSpan> TakeAsync(BlockAllocator allocator, Journal.Handle handle, AllocationRequest request)
    {
        bool isPromised = Promise is { } promise && promise.TryBeginNode();
        try
        {
            SpaceUse use = isPromised ? SpaceUse.Reserved : Otherwise;
            return await allocator.AllocateAsync(handle, request with { Use = use }).ConfigureAwait(false);
        }
        catch when (isPromised)
        {
            Promise!.UndoNode();
            throw;
        }
    }
}
