using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files.Raw;

/// <summary>The mapping of a device onto itself: every block is where it says, and nothing is ever allocated.</summary>
internal sealed class RawMapper(int blockSize, long length) : BlockMapper
{
    public override int BlockSize => blockSize;

    public override bool CanBeUnwritten => false;

    public override ulong MaxBlocks => (ulong)(length / blockSize);

    public override bool TryMap(FileBlock first, ulong maxCount, out BlockRun run)
    {
        run = first.Value < MaxBlocks
            ? new BlockRun(first, new VolumeBlock(first.Value), Math.Min(maxCount, MaxBlocks - first.Value), MapState.Mapped)
            : BlockRun.Hole(first, maxCount);
        return true;
    }

    public override ValueTask<BlockRun> MapAsync(FileBlock first, ulong maxCount)
    {
        TryMap(first, maxCount, out BlockRun run);
        return new ValueTask<BlockRun>(run);
    }

    public override int CreditsToAllocate(ulong count) => 0;

    public override ValueTask<BlockRun> AllocateAsync(Handle handle, FileBlock first, ulong count, MapState state, bool fromReservation) =>
        throw new FileSystemException(IoFault.NoSpace, "a device does not grow");

    public override int CreditsToConvert(ulong count) => 0;

    public override ValueTask ConvertAsync(Handle handle, FileBlock first, ulong count) => ValueTask.CompletedTask;

    public override IoFault TryReserve(ulong count) => IoFault.NoSpace;

    public override void CancelReservation(ulong count)
    {
    }
}
