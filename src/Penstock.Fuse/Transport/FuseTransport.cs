using Penstock.Fuse.Session;

namespace Penstock.Fuse.Transport;

/// <summary>Why no more requests come.</summary>
internal enum FuseEnd
{
    /// <summary>The last mount of the file system is gone (ENODEV).</summary>
    Unmounted,

    /// <summary>Somebody aborted the connection through the control file system (ECONNABORTED).</summary>
    Aborted,

    /// <summary>The device failed in another way.</summary>
    Failed,
}

/// <summary>Who takes the requests: called on the transport's own threads, which it must not hold up.</summary>
internal interface IFuseRequestSink
{
    /// <summary>An idle request object to receive into.</summary>
    FuseRequest RentRequest();

    /// <summary>A request has arrived. Never throws.</summary>
    void Dispatch(FuseRequest request);

    /// <summary>No more requests come from this transport.</summary>
    void Ended(FuseEnd end);
}

/// <summary>Whom a request came through, and its reply goes through.</summary>
internal interface IFuseReplier
{
    /// <summary>Sends the reply that the request holds, or the error alone. Callable from any thread; never throws.</summary>
    /// <param name="request">The request, with its reply set.</param>
    /// <param name="error">A positive errno, or 0.</param>
    void Reply(FuseRequest request, int error);
}

/// <summary>
/// How requests come in and replies go out. The one over /dev/fuse is the base; io_uring stands beside it where it is switched on, since a
/// request only knows where its header, arguments and the bytes after them lie, and who replies to it.
/// </summary>
internal abstract class FuseTransport : IFuseReplier, IDisposable
{
    /// <summary>Begins with the first request, which is INIT; no other is taken up before <see cref="Widen"/>.</summary>
    public abstract void Start(IFuseRequestSink sink);

    /// <summary>
    /// Gets ready to take requests over io_uring, which the kernel offers: once it is agreed on, the kernel holds all requests back until it has the rings,
    /// so nothing may be missing then.
    /// </summary>
    /// <param name="maxWrite">The largest payload.</param>
    public virtual bool TryPrepareRings(int maxWrite) => false;

    /// <summary>INIT was answered: take up requests with full strength.</summary>
    /// <param name="agreed">What was agreed on.</param>
    public abstract void Widen(FuseConnection agreed);

    public abstract void Reply(FuseRequest request, int error);

    /// <summary>Sends a notification. It can block while the kernel waits for a page, so only the notifier's thread calls it.</summary>
    /// <returns>0 or a positive errno.</returns>
    public abstract int Notify(ReadOnlySpan<byte> message);

    public abstract void Dispose();
}
