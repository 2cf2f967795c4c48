using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Transport;
using Penstock.Memory;

namespace Penstock.Fuse.Session;

/// <summary>
/// One request of the kernel, from its arrival to its reply. Pooled: a handler may use it, and every reference and span got from it,
/// only until the task it returned has completed. No member may be used by two threads at once except <see cref="TryInterrupt"/>.
/// </summary>
internal sealed unsafe class FuseRequest
{
    private const int ReplyCapacity = 512;
    private const int OutHeaderSize = 16;

    private readonly FuseSession _session;
    private readonly byte* _reply = (byte*)NativeMemory.AlignedAlloc(ReplyCapacity, 64);
    private readonly Action _continue;
    private readonly object _interruptLock = new();
    private ConfiguredValueTaskAwaitable<Errno>.ConfiguredValueTaskAwaiter _awaiter;
    private CancellationTokenSource? _cancellation;
    private bool _isInFlight;
    private bool _isInterrupted;
    private WireBuffer? _received;
    private WireBuffer? _payload;
    private RingEntry? _entry;
    private FuseInHeader* _header;
    private byte* _arguments;
    private byte* _tail;
    private int _bodyLength;
    private int _tailLength;
    private int _extensionLength;
    private int _replyLength;
    private int _payloadLength;

    public FuseRequest(FuseSession session)
    {
        _session = session;
        _continue = () => _session.Finish(this);
    }

    /// <summary>Who the reply goes to.</summary>
    public IFuseReplier? Replier { get; private set; }

    /// <summary>Where a handler has the kernel told of a change that the reply does not tell: queued, and sent when no handler waits for it.</summary>
    public FuseNotifier Notifier => _session.Notifier;

    public ref readonly FuseInHeader Header => ref *_header;

    /// <summary>The bytes after the arguments: names, data, or nothing. Extensions are not among them.</summary>
    public ReadOnlySpan<byte> Tail => new(_tail, _tailLength);

    /// <summary>The one or the first name, without its zero byte.</summary>
    public ReadOnlySpan<byte> Name => Tail[..Tail.IndexOf((byte)0)];

    /// <summary>The second name, without its zero byte.</summary>
    public ReadOnlySpan<byte> SecondName
    {
        get
        {
            ReadOnlySpan<byte> rest = TailAfterName;
            return rest[..rest.IndexOf((byte)0)];
        }
    }

    /// <summary>What follows the first name: the value of a SETXATTR.</summary>
    public ReadOnlySpan<byte> TailAfterName => Tail[(Tail.IndexOf((byte)0) + 1)..];

    /// <summary>The data of a WRITE, on a page boundary.</summary>
    public Memory<byte> WriteData => _received!.Memory[..Math.Min(_tailLength, (int)Arguments<FuseWriteIn>().Size)];

    /// <summary>The same as a segment: memory of our own, which any place may touch.</summary>
    public IoSegment WriteSegment => new((nint)_tail, Math.Min(_tailLength, (int)Arguments<FuseWriteIn>().Size));

    /// <summary>Cancelled when the kernel interrupts the request. Asking for it costs an allocation: only long operations do.</summary>
    public CancellationToken Cancellation
    {
        get
        {
            lock (_interruptLock)
            {
                _cancellation ??= new CancellationTokenSource();
                if (_isInterrupted)
                {
                    _cancellation.Cancel();
                }

                return _cancellation.Token;
            }
        }
    }

    /// <summary>FORGET and the like: the kernel expects no reply.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Whether the request may be run again if it found no space and room can be made: once, and only if that does no harm.</summary>
    public bool MayRunAgain { get; set; } = true;

    /// <summary>The arguments, whose presence was checked before the handler was called.</summary>
    public ref readonly T Arguments<T>()
        where T : unmanaged
    {
        Debug.Assert(sizeof(T) <= (_entry is null ? _bodyLength : FuseRingHeader.ArgumentCapacity), "the table of operations promises the size");
        return ref *(T*)_arguments;
    }

    /// <summary>Whether the caller was found to be in this supplementary group (FUSE_EXT_GROUPS; sent for the parent's group only).</summary>
    public bool HasSupplementaryGroup(uint group)
    {
        ReadOnlySpan<byte> rest = new(_tail + _tailLength, _extensionLength);
        while (rest.Length >= sizeof(FuseExtensionHeader))
        {
            FuseExtensionHeader header = MemoryMarshal.Read<FuseExtensionHeader>(rest);
            if (header.Size < sizeof(FuseExtensionHeader) || header.Size > rest.Length)
            {
                return false;
            }

            if (header.Type == FuseExtensionHeader.Groups)
            {
                ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(rest[sizeof(FuseExtensionHeader)..(int)header.Size]);
                return words.Length > 0 && words[1..Math.Min(words.Length, (int)Math.Min(words[0], 1u << 16) + 1)].Contains(group);
            }

            rest = rest[(int)Math.Min((header.Size + 7) & ~7u, (uint)rest.Length)..];
        }

        return false;
    }

    /// <summary>Replies with a structure.</summary>
    public Errno Reply<T>(in T message)
        where T : unmanaged
    {
        Unsafe.WriteUnaligned(_reply + OutHeaderSize, message);
        _replyLength = sizeof(T);
        return Errno.None;
    }

    /// <summary>Adds bytes to the structure already set: the argument that an ioctl hands out.</summary>
    public void AppendReply(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(_reply + OutHeaderSize + _replyLength, ReplyCapacity - OutHeaderSize - _replyLength));
        _replyLength += bytes.Length;
    }

    /// <summary>Page-aligned memory for a reply of many bytes. What is sent is said by <see cref="ReplyPayload"/>.</summary>
    public Memory<byte> RentPayload(int length)
    {
        Debug.Assert(_payload is null, "one payload for each reply");

        // What came over io_uring brings the place of its reply with it, unless a part of the request lies there.
        _payload = _entry is not null && _tailLength + _extensionLength == 0 ? _entry.Payload : _session.Buffers.Rent(length);
        return _payload.Memory[..length];
    }

    /// <summary>The same as a segment.</summary>
    public IoSegment RentPayloadSegment(int length)
    {
        RentPayload(length);
        return new IoSegment((nint)_payload!.Payload, length);
    }

    /// <summary>Replies with the first bytes of the rented payload.</summary>
    public Errno ReplyPayload(int length)
    {
        _payloadLength = length;
        return Errno.None;
    }

    /// <summary>Takes in a request that lies contiguously in a buffer, which is then this request's own.</summary>
    internal void Receive(IFuseReplier transport, WireBuffer buffer, int length)
    {
        Replier = transport;
        _received = buffer;
        _header = (FuseInHeader*)buffer.Start;
        _arguments = buffer.Start + sizeof(FuseInHeader);
        _bodyLength = length - sizeof(FuseInHeader);
        lock (_interruptLock)
        {
            _isInFlight = length >= sizeof(FuseInHeader);
        }
    }

    /// <summary>Takes in a request that came over io_uring, whose memory stays the entry's.</summary>
    internal void Receive(IFuseReplier replier, RingEntry entry)
    {
        Replier = replier;
        _entry = entry;
        _received = entry.Payload;
        _header = &entry.Header->In;
        _arguments = &entry.Header->Arguments;
        _bodyLength = (int)Math.Min(entry.Header->PayloadSize, (uint)entry.Payload.PayloadCapacity);
        lock (_interruptLock)
        {
            _isInFlight = true;
        }
    }

    /// <summary>Whether the request holds together: its length, arguments, names and extensions. Until this is true only the header is safe.</summary>
    internal bool TryParse(int argumentSize, int names)
    {
        _extensionLength = _header->TotalExtensionLength * 8;
        if (_entry is not null)
        {
            // The arguments have a place of their own, and what follows them is the payload.
            _tail = _entry.Payload.Payload;
            _tailLength = _bodyLength - _extensionLength;
            return argumentSize <= FuseRingHeader.ArgumentCapacity && _tailLength >= 0
                && _header->Length == sizeof(FuseInHeader) + argumentSize + _bodyLength && HasNames(names);
        }

        if (_bodyLength < 0 || _header->Length != _bodyLength + sizeof(FuseInHeader)
            || argumentSize + _extensionLength > _bodyLength)
        {
            return false;
        }

        _tail = _arguments + argumentSize;
        _tailLength = _bodyLength - argumentSize - _extensionLength;
        return HasNames(names);
    }

    private bool HasNames(int names)
    {
        ReadOnlySpan<byte> rest = Tail;
        for (int i = 0; i < names; i++)
        {
            int end = rest.IndexOf((byte)0);
            if (end <= 0)
            {
                return false;
            }

            rest = rest[(end + 1)..];
        }

        return true;
    }

    /// <summary>Whether even the header is whole.</summary>
    internal bool HasHeader => _bodyLength >= 0;

    /// <summary>Bytes after the header; INIT looks at them itself because older kernels send fewer.</summary>
    internal ReadOnlySpan<byte> Body => new(_arguments, _bodyLength);

    /// <summary>Finishes through the session when the handler's task does.</summary>
    internal void FinishWhenCompleted(in ValueTask<Errno> task)
    {
        _awaiter = task.ConfigureAwait(false).GetAwaiter();
        _awaiter.UnsafeOnCompleted(_continue);
    }

    /// <summary>The outcome of the task given to <see cref="FinishWhenCompleted"/>; throws what it threw.</summary>
    internal Errno TakeOutcome()
    {
        var awaiter = _awaiter;
        _awaiter = default;
        return awaiter.GetResult();
    }

    /// <summary>Puts the reply's header in place. An error carries nothing else.</summary>
    internal byte* SealReply(int error, out int headLength, out byte* payload, out int payloadLength)
    {
        headLength = OutHeaderSize + (error == 0 ? _replyLength : 0);
        payloadLength = error == 0 ? _payloadLength : 0;
        payload = _payload is null ? null : _payload.Payload;
        *(FuseOutHeader*)_reply = new FuseOutHeader
        {
            Length = (uint)(headLength + payloadLength),
            Error = -error,
            Unique = _header->Unique,
        };
        return _reply;
    }

    /// <summary>Puts the reply into the entry that the request came in: the header in its place, everything else into the payload.</summary>
    internal RingEntry SealEntry(int error)
    {
        RingEntry entry = _entry!;
        byte* head = SealReply(error, out int headLength, out byte* payload, out int payloadLength);
        var place = new Span<byte>(entry.Payload.Payload, entry.Payload.PayloadCapacity);
        headLength -= OutHeaderSize;
        if (payloadLength > 0 && (headLength > 0 || _payload != entry.Payload))
        {
            new ReadOnlySpan<byte>(payload, payloadLength).CopyTo(place[headLength..]);
        }

        new ReadOnlySpan<byte>(head + OutHeaderSize, headLength).CopyTo(place);
        entry.Header->Out = *(FuseOutHeader*)head;
        entry.Header->PayloadSize = (uint)(headLength + payloadLength);
        return entry;
    }

    /// <summary>From here on an interrupt no longer finds the request.</summary>
    internal void EndFlight()
    {
        lock (_interruptLock)
        {
            _isInFlight = false;
            _isInterrupted = false;
            _cancellation = null;
        }
    }

    /// <summary>Gives everything back. The reply was sent.</summary>
    internal void Clear(WireBufferPool buffers)
    {
        if (_received is not null && _entry is null)
        {
            buffers.Return(_received);
        }

        if (_payload is not null && _payload != _entry?.Payload)
        {
            buffers.Return(_payload);
        }

        _received = _payload = null;
        _entry = null;
        _header = null;
        _arguments = _tail = null;
        _bodyLength = _tailLength = _extensionLength = _replyLength = _payloadLength = 0;
        IsSilent = false;
        MayRunAgain = true;
        Replier = null;
    }

    /// <summary>Marks the request as interrupted if it is the one meant and still in flight. Callable from any thread.</summary>
    /// <param name="unique">The request meant.</param>
    /// <param name="cancellation">What the caller must cancel, once it holds no lock.</param>
    internal bool TryInterrupt(ulong unique, out CancellationTokenSource? cancellation)
    {
        lock (_interruptLock)
        {
            _isInterrupted |= _isInFlight && _header->Unique == unique;
            cancellation = _isInterrupted ? _cancellation : null;
            return _isInFlight && _header->Unique == unique;
        }
    }

    /// <summary>Frees the native memory; the session does this when it is over.</summary>
    internal void Free() => NativeMemory.AlignedFree(_reply);
}
