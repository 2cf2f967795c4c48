namespace Penstock.Execution;

/// <summary>
/// A duty that one thread has at a time: to reap a device's completions. Its thread lays it down while it runs users' continuations, and takes it up again
/// after them; if one of them holds it up, another thread stands in, and the first waits to stand in for that one.
/// </summary>
/// <remarks>
/// Invariants: (1) at most one thread has the duty, and only that one touches what the duty is about; taking and laying down are full fences, so it
/// sees what its predecessor left; (2) a thread that once had it stays until the end, since the host ties what is in flight to the thread that
/// submitted it.
/// </remarks>
/// <param name="startThread">Starts a thread that serves, when one is wanted and none waits.</param>
internal sealed class SharedDuty(Action startThread)
{
    private const int ShortestRest = 50;
    private const int LongestRest = 5000;

    private readonly object _latch = new();
    private int _isTaken;
    private int _waiting;
    private bool _isWanted;
    private bool _hasEnded;
    private int _rest = ShortestRest;
    private long _restsUntil;

    /// <summary>Whether its thread had better not run users' continuations for now: some were held up lately. Longer each time.</summary>
    public bool IsResting => Volatile.Read(ref _restsUntil) is var until && until != 0 && Environment.TickCount64 < until;

    public bool TryTake() => Interlocked.CompareExchange(ref _isTaken, 1, 0) == 0;

    public void LayDown() => Interlocked.Exchange(ref _isTaken, 0);

    /// <summary>Any thread: the one that had the duty is held up by a user.</summary>
    public void Rest()
    {
        _rest = Math.Min(_rest * 2, LongestRest);
        Volatile.Write(ref _restsUntil, Environment.TickCount64 + _rest);
    }

    /// <summary>Any thread: asks for a thread that takes the duty, if it still lies there then.</summary>
    public void WantStandIn()
    {
        lock (_latch)
        {
            if (_hasEnded || _isWanted)
            {
                return;
            }

            _isWanted = true;
            if (_waiting > 0)
            {
                Monitor.Pulse(_latch);
                return;
            }
        }

        startThread();
    }

    /// <summary>Blocks until the duty is wanted and taken by the calling thread: true; or until it has ended: false.</summary>
    public bool WaitToTake()
    {
        lock (_latch)
        {
            while (true)
            {
                if (_hasEnded)
                {
                    return false;
                }

                if (_isWanted)
                {
                    _isWanted = false;
                    if (TryTake())
                    {
                        return true;
                    }
                }

                _waiting++;
                Monitor.Wait(_latch);
                _waiting--;
            }
        }
    }

    /// <summary>Nobody takes it any more.</summary>
    public void End()
    {
        lock (_latch)
        {
            _hasEnded = true;
            Monitor.PulseAll(_latch);
        }
    }
}
