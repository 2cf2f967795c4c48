using Penstock.Execution;

namespace Penstock.Caching;

/// <summary>Where one open file stands in the sequence of its file's write-back errors. Its own latch is that of the <see cref="WritebackErrors"/>.</summary>
internal sealed class ErrorCursor
{
    internal ErrorCursor(long seen) => Seen = seen;

    internal long Seen { get; set; }
}

/// <summary>
/// The write-back errors of one file (Rule 2.16): each open file's next sync reports an error exactly once, and so does that of a later
/// opener, if nobody has seen it. Beside that, one pending error is kept for direct I/O, which reports it before it begins (Rule 2.19).
/// </summary>
internal sealed class WritebackErrors(Scheduler scheduler)
{
    private readonly object _latch = new();
    private long _last;
    private long _lastSeen;
    private IoFault _fault;
    private IoFault _pending;

    /// <summary>The newest error, whoever has seen it.</summary>
    public IoFault Last
    {
        get
        {
            lock (_latch)
            {
                return _fault;
            }
        }
    }

    /// <summary>The point from which a file that is opened now is told of errors.</summary>
    public ErrorCursor Sample()
    {
        lock (_latch)
        {
            bool isUnseen = _lastSeen < _last;
            return new ErrorCursor(isUnseen ? _last - 1 : _last);
        }
    }

    /// <summary>The newest error since <paramref name="cursor"/> was last here, which moves it past all of them.</summary>
    public IoFault Check(ErrorCursor cursor)
    {
        lock (_latch)
        {
            bool isSeenByOther = scheduler.IsBroken(Rule.WritebackErrorReachesEveryOpenFile) && _lastSeen == _last;
            if (cursor.Seen == _last || isSeenByOther)
            {
                return IoFault.None;
            }

            cursor.Seen = _last;
            _lastSeen = _last;
            return _fault;
        }
    }

    /// <summary>Notes that data of the file could not be written.</summary>
    public void Record(IoFault fault)
    {
        lock (_latch)
        {
            _last++;
            _fault = fault;
            _pending = fault;
        }
    }

    /// <summary>
    /// Notes that a page could not be dropped after a direct write, so that cache and device disagree (Rule 2.6). Syncs tell of it; no data of
    /// a later write-back is in question, so direct I/O is not stopped by it.
    /// </summary>
    public void RecordDisagreement()
    {
        lock (_latch)
        {
            _last++;
            _fault = IoFault.DeviceFailed;
        }
    }

    /// <summary>The error that no write-back has reported to its caller yet; reported by this call.</summary>
    public IoFault TakePending()
    {
        lock (_latch)
        {
            IoFault pending = _pending;
            _pending = IoFault.None;
            return pending;
        }
    }
}
