using Penstock.Devices;
using Penstock.Memory;
using Penstock.Uring;
using Errno = Penstock.Fuse.Protocol.Errno;

namespace Penstock.Fuse.Transport;

/// <summary>Reads requests on the thread of a ring of the volume's device, between the completions of those that went before.</summary>
internal sealed class HostedReader(DeviceTransport transport, RequestReader reader, WireBufferPool buffers) : IRingGuest
{
    /// <summary>Requests taken in before what they submitted is sent to the device and completions are looked for.</summary>
    private const int BatchLength = 16;

    private int _end;

    public int Descriptor => transport.Descriptor;

    public IoSegment Memory => buffers.Registrable;

    public bool MayTakeIn => buffers.HasRoom;

    public void Seated(IRingHost host) => buffers.WakeWhenThereIsRoom(host.Wake);

    public GuestState TakeIn()
    {
        int taken = 0;
        while (taken < BatchLength && buffers.HasRoom)
        {
            int error = transport.ReadOne(reader);
            if (error == 0)
            {
                taken++;
            }
            else if (error == Errno.EAGAIN.Value)
            {
                return taken > 0 ? GuestState.Drained : GuestState.Idle;
            }
            else if (!RequestReader.IsPassing(error))
            {
                _end = error;
                return GuestState.Ended;
            }
        }

        return GuestState.Busy;
    }

    public void Completed(uint command, CallResult result) => throw new InvalidOperationException("This guest sends no commands.");

    public void Left() => transport.ReaderEnded(reader, _end);
}
