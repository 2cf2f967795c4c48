using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;

namespace Penstock.Tests.Fuse.Session;

/// <summary>A kernel of bytes: delivers requests as given and collects the replies.</summary>
internal sealed class ScriptedTransport(WireBufferPool buffers) : FuseTransport
{
    private IFuseRequestSink? _sink;

    public ConcurrentQueue<(int Error, ulong Unique, byte[] Body)> Replies { get; } = new();

    public ConcurrentQueue<byte[]> Notifications { get; } = new();

    public int Count { get; private set; }

    public bool KeepsReplies { get; set; } = true;

    public bool IsWidened { get; private set; }

    public static byte[] Request(FuseOpcode opcode, ulong unique, ulong node, ReadOnlySpan<byte> body, ushort extensionUnits = 0)
    {
        byte[] bytes = new byte[40 + body.Length];
        var header = new FuseInHeader
        {
            Length = (uint)bytes.Length, Opcode = opcode, Unique = unique, NodeId = node, TotalExtensionLength = extensionUnits,
        };
        MemoryMarshal.Write(bytes, in header);
        body.CopyTo(bytes.AsSpan(40));
        return bytes;
    }

    public static byte[] Bytes<T>(in T message, ReadOnlySpan<byte> tail = default)
        where T : unmanaged
    {
        byte[] bytes = new byte[Marshal.SizeOf<T>() + tail.Length];
        MemoryMarshal.Write(bytes, in message);
        tail.CopyTo(bytes.AsSpan(Marshal.SizeOf<T>()));
        return bytes;
    }

    public override void Start(IFuseRequestSink sink) => _sink = sink;

    public override void Widen(FuseConnection agreed) => IsWidened = true;

    public unsafe void Deliver(ReadOnlySpan<byte> message)
    {
        WireBuffer buffer = buffers.Rent(Math.Max(0, message.Length - WireBuffer.WriteHead));
        message.CopyTo(new Span<byte>(buffer.Start, buffer.Capacity));
        FuseRequest request = _sink!.RentRequest();
        request.Receive(this, buffer, message.Length);
        _sink.Dispatch(request);
    }

    public void Initialize()
    {
        var offer = new FuseInitIn { Major = 7, Minor = 45, MaxReadahead = 131072, Flags = uint.MaxValue, Flags2 = uint.MaxValue };
        Deliver(Request(FuseOpcode.Init, 1, 0, Bytes(offer)));
        Replies.TryDequeue(out _);
    }

    public void End(FuseEnd end) => _sink!.Ended(end);

    public override unsafe void Reply(FuseRequest request, int error)
    {
        byte* head = request.SealReply(error, out int headLength, out byte* payload, out int payloadLength);
        Count++;
        if (KeepsReplies)
        {
            var header = *(FuseOutHeader*)head;
            byte[] body = [.. new ReadOnlySpan<byte>(head + 16, headLength - 16), .. new ReadOnlySpan<byte>(payload, payloadLength)];
            Replies.Enqueue((-header.Error, header.Unique, body));
        }
    }

    public override int Notify(ReadOnlySpan<byte> message)
    {
        Notifications.Enqueue(message.ToArray());
        return 0;
    }

    public override void Dispose()
    {
    }
}
