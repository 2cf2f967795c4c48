using Penstock.Devices;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>The journal of what has no metadata on the device, a raw device opened as a file: a commit is a flush.</summary>
internal sealed class FlushJournal(BlockDevice device) : MetadataJournal
{
    private static readonly Handle s_handle = new EmptyHandle();
    private static readonly ReservedHandle s_reserved = new EmptyReservation();

    public override MetadataCache Cache => throw new NotSupportedException("A raw device has no metadata.");

    public override TransactionId Running => default;

    public override bool IsAborted => false;

    public override ValueTask<Handle> BeginAsync(int credits) => new(s_handle);

    public override ValueTask<ReservedHandle> ReserveAsync(int credits) => new(s_reserved);

    public override async ValueTask CommitAsync(TransactionId transaction)
    {
        IoResult result = await device.FlushAsync().ConfigureAwait(false);
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, device.Name, "the flush failed: what was written before it may be lost");
        }
    }

    public override void StartCommit()
    {
    }

    public override void Abort(IoFault reason)
    {
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class EmptyReservation : ReservedHandle
    {
        public override Handle Begin() => s_handle;

        public override void Cancel()
        {
        }
    }

    private sealed class EmptyHandle : Handle
    {
        public override TransactionId Transaction => default;

        public override int CreditsLeft => int.MaxValue;

        public override BlockEdit Edit(MetadataBlock block) => throw new NotSupportedException("A raw device has no metadata.");

        public override void Forget(VolumeBlock block)
        {
        }

        public override void Freed(VolumeBlock first, ulong count)
        {
        }

        public override bool TryExtend(int credits) => true;

        public override ValueTask RestartAsync(int credits) => ValueTask.CompletedTask;

        public override void Stop()
        {
        }
    }
}
