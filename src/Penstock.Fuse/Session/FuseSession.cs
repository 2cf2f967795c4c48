using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Transport;

namespace Penstock.Fuse.Session;

/// <summary>
/// One connection to the kernel: takes requests from the transport, checks them against the table, runs the handler and sends each
/// reply once. Nothing is allocated for a request once the pools are warm, no thread waits for one, and no exception gets out.
/// </summary>
/// <remarks>
/// Rules. 1: a request is answered exactly once, FORGET and a successful INTERRUPT never. 2: a buffer stays with its request
/// until the reply is sent. 3: the session is over when the transport has ended and no request is in flight.
/// </remarks>
internal sealed class FuseSession : IFuseRequestSink, IDisposable
{
    private readonly FuseTransport _transport;
    private readonly FuseHandler _handler;
    private readonly FuseSessionOptions _options;
    private readonly TaskCompletionSource<FuseEnd> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<FuseConnection> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly object _poolLock = new();
    private readonly Stack<FuseRequest> _idle = new();
    private readonly List<FuseRequest> _all = [];
    private FuseConnection? _connection;
    private FuseEnd _end;

    // Requests in flight, and one for the transport while it lives.
    private int _lives = 1;

    public FuseSession(FuseTransport transport, WireBufferPool buffers, FuseHandler handler, FuseSessionOptions options)
    {
        _transport = transport;
        Buffers = buffers;
        _handler = handler;
        _options = options;
        Notifier = new FuseNotifier(transport);
    }

    /// <summary>The memory of requests and replies.</summary>
    public WireBufferPool Buffers { get; }

    /// <summary>Tells the kernel what it must forget.</summary>
    public FuseNotifier Notifier { get; }

    /// <summary>Completes when the kernel has been answered; fails when it cannot be served.</summary>
    public Task<FuseConnection> Ready => _ready.Task;

    /// <summary>Completes when no more requests come and all replies are sent.</summary>
    public Task<FuseEnd> Completion => _completion.Task;

    /// <summary>Requests that were taken up and not answered yet.</summary>
    public int InFlight => Math.Max(0, Volatile.Read(ref _lives) - 1);

    public void Start() => _transport.Start(this);

    FuseRequest IFuseRequestSink.RentRequest()
    {
        lock (_poolLock)
        {
            if (_idle.TryPop(out FuseRequest? request))
            {
                return request;
            }

            request = new FuseRequest(this);
            _all.Add(request);
            return request;
        }
    }

    void IFuseRequestSink.Dispatch(FuseRequest request)
    {
        Interlocked.Increment(ref _lives);
        Begin(request);
    }

    void IFuseRequestSink.Ended(FuseEnd end)
    {
        _end = end;
        EndLife();
    }

    /// <summary>Frees memory and device. Only after <see cref="Completion"/>.</summary>
    public void Dispose()
    {
        Notifier.Dispose();
        _transport.Dispose();
        Buffers.Dispose();
        lock (_poolLock)
        {
            foreach (FuseRequest request in _all)
            {
                request.Free();
            }

            _all.Clear();
            _idle.Clear();
        }
    }

    /// <summary>The task of a request that had to wait has completed.</summary>
    internal void Finish(FuseRequest request)
    {
        Errno outcome;
        try
        {
            outcome = request.TakeOutcome();
        }
        catch (Exception exception)
        {
            outcome = OutcomeOf(exception);
        }

        Conclude(request, outcome);
    }

    private void Begin(FuseRequest request)
    {
        Errno outcome;
        try
        {
            ValueTask<Errno> task = Run(request);
            if (!task.IsCompleted)
            {
                request.FinishWhenCompleted(task);
                return;
            }

            outcome = task.GetAwaiter().GetResult();
        }
        catch (Exception exception)
        {
            outcome = OutcomeOf(exception);
        }

        Conclude(request, outcome);
    }

    private void Conclude(FuseRequest request, Errno outcome)
    {
        if (outcome == Errno.ENOSPC && request.MayRunAgain)
        {
            request.MayRunAgain = false;
            _ = RetryAsync(request);
        }
        else
        {
            Answer(request, outcome);
        }
    }

    /// <summary>Rare enough to allocate. Whatever happens, the request goes on to its answer.</summary>
    private async Task RetryAsync(FuseRequest request)
    {
        bool hasRoom = false;
        try
        {
            hasRoom = await _handler.MakeRoomAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Still no space, then; the reason is in the journal or the device, and they tell everybody.
            _ = OutcomeOf(exception);
        }

        if (hasRoom)
        {
            Begin(request);
        }
        else
        {
            Answer(request, Errno.ENOSPC);
        }
    }

    private ValueTask<Errno> Run(FuseRequest request)
    {
        if (!request.HasHeader)
        {
            request.IsSilent = true;
            return new(Errno.EIO);
        }

        FuseOpcode opcode = request.Header.Opcode;
        request.IsSilent = opcode is FuseOpcode.Forget or FuseOpcode.BatchForget;
        if (opcode is FuseOpcode.Init)
        {
            return new(Initialize(request));
        }

        if (opcode is FuseOpcode.Interrupt)
        {
            return new(Interrupt(request));
        }

        if (_connection is null)
        {
            return new(Errno.EIO);
        }

        FuseOperation? operation = FuseOperation.Of(opcode);
        if (operation is null)
        {
            return new(Errno.ENOSYS);
        }

        return request.TryParse(operation.ArgumentSize, operation.Names) ? operation.Invoke(_handler, request) : new(Errno.EINVAL);
    }

    private Errno Initialize(FuseRequest request)
    {
        ReadOnlySpan<byte> body = request.Body;
        if (body.Length < FuseInitIn.SizeBeforeExtension || _connection is not null)
        {
            return Errno.EPROTO;
        }

        FuseInitIn offer = default;
        body[..Math.Min(body.Length, Marshal.SizeOf<FuseInitIn>())].CopyTo(MemoryMarshal.AsBytes(new Span<FuseInitIn>(ref offer)));
        FuseSessionOptions options = _options with
        {
            MayUseRing = (FuseNegotiation.Offered(offer) & FuseInitFlags.OverIoUring) != 0 && _transport.TryPrepareRings(_options.MaxWrite),
        };
        FuseConnection? connection = FuseNegotiation.Answer(offer, options, out FuseInitOut reply);
        if (connection is not null)
        {
            _handler.Initialized(connection);
            _connection = connection;
        }
        else if (offer.Major <= FuseNegotiation.Major)
        {
            _ready.TrySetException(new FileSystemException(
                IoFault.NotSupported,
                $"the kernel speaks FUSE {offer.Major}.{offer.Minor}; {FuseNegotiation.Major}.{FuseNegotiation.OldestMinor} (Linux 5.13) is the oldest that can be served"));
            return Errno.EPROTO;
        }

        // A newer major version hears ours and asks again.
        return request.Reply(reply);
    }

    private Errno Interrupt(FuseRequest request)
    {
        if (!request.TryParse(Marshal.SizeOf<FuseInterruptIn>(), 0))
        {
            return Errno.EINVAL;
        }

        if (!TryInterrupt(request.Arguments<FuseInterruptIn>().Unique, out CancellationTokenSource? cancellation))
        {
            // It overtook its request on another reader, or that is answered already: the kernel asks again only in the first case.
            return Errno.EAGAIN;
        }

        request.IsSilent = true;
        cancellation?.Cancel();
        return Errno.None;
    }

    private bool TryInterrupt(ulong unique, out CancellationTokenSource? cancellation)
    {
        lock (_poolLock)
        {
            foreach (FuseRequest request in _all)
            {
                // The request that carries the interrupt has a number of its own, so it never finds itself.
                if (request.TryInterrupt(unique, out cancellation))
                {
                    return true;
                }
            }
        }

        cancellation = null;
        return false;
    }

    private void Answer(FuseRequest request, Errno outcome)
    {
        bool isFirst = request.HasHeader && request.Header.Opcode is FuseOpcode.Init;
        request.EndFlight();
        if (!request.IsSilent)
        {
            request.Replier!.Reply(request, outcome.Value);
        }

        request.Clear(Buffers);
        lock (_poolLock)
        {
            _idle.Push(request);
        }

        if (isFirst && _connection is not null)
        {
            _transport.Widen(_connection);
            _ready.TrySetResult(_connection);
        }

        EndLife();
    }

    private Errno OutcomeOf(Exception exception)
    {
        if (exception is not (FileSystemException or OperationCanceledException))
        {
            _options.OnDefect?.Invoke(exception);
        }

        return Errno.From(exception);
    }

    private void EndLife()
    {
        if (Interlocked.Decrement(ref _lives) == 0)
        {
            _ready.TrySetException(new FileSystemException(IoFault.DeviceFailed, "the mount ended before the kernel spoke to it"));
            _completion.TrySetResult(_end);
        }
    }
}
