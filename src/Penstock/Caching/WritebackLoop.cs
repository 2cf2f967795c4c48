using Penstock.Execution;
using Penstock.Locking;

namespace Penstock.Caching;

/// <summary>
/// Background writeback: one activity that writes back files whose dirty pages are old, and all of them while there is too much dirty data or
/// somebody waits for room. It sleeps when nothing is dirty.
/// </summary>
internal sealed class WritebackLoop
{
    /// <summary>How often the age of dirty pages is looked at.</summary>
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(5);


    /// <summary>Between two rounds while somebody waits for room: what came too late for the last one gets its turn soon.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private const long MaxAgeNanoseconds = 30L * 1_000_000_000;

    private readonly PageCache _cache;
    private readonly Alarm _alarm;
    private readonly object _latch = new();
    private bool _isRunning;
    private bool _isWound;
    private bool _isKicked;

    public WritebackLoop(PageCache cache)
    {
        _cache = cache;
        _alarm = cache.Scheduler.CreateAlarm(static state => ((WritebackLoop)state!).Ring(), this);
    }

    /// <summary>Something became dirty: the ages are looked at from now on.</summary>
    public void Wind()
    {
        if (!Volatile.Read(ref _isWound))
        {
            WindLatched(s_period);
        }
    }

    /// <summary>Starts a round now, or lets the one that runs be followed by another.</summary>
    public void Kick()
    {
        lock (_latch)
        {
            if (_isKicked)
            {
                return;
            }

            _isKicked = true;
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        _cache.Scheduler.Start(RunAsync);
    }

    private void WindLatched(TimeSpan delay)
    {
        lock (_latch)
        {
            if (!_isWound || delay == s_pause)
            {
                _isWound = true;
                _alarm.Set(delay);
            }
        }
    }

    private void Ring()
    {
        lock (_latch)
        {
            _isWound = false;
            if (_isRunning || _cache.DirtyFiles.IsEmpty)
            {
                return;
            }

            _isKicked = _cache.IsRoomWanted;
            _isRunning = true;
        }

        _cache.Scheduler.Start(RunAsync);
    }

    private async Task RunAsync()
    {
        using OperationScope? scope = _cache.Scheduler.Recorder?.BeginOperation("background writeback");
        while (true)
        {
            bool isKicked;
            lock (_latch)
            {
                isKicked = _isKicked;
                _isKicked = false;
            }

            IoFault fault = await RunRoundAsync(isKicked).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                _cache.WritebackRoundFailed(fault);
            }

            lock (_latch)
            {
                if (!_isKicked || fault != IoFault.None)
                {
                    _isKicked = false;
                    _isRunning = false;
                    break;
                }
            }
        }

        if (!_cache.DirtyFiles.IsEmpty)
        {
            WindLatched(_cache.IsRoomWanted ? s_pause : s_period);
        }
    }

    /// <summary>One round over the files that are dirty: the old ones, or all until there is little enough.</summary>
    private async ValueTask<IoFault> RunRoundAsync(bool isKicked)
    {
        IoFault fault = IoFault.None;
        foreach (FilePages file in _cache.DirtyFiles.Snapshot())
        {
            bool isNeeded = isKicked && (_cache.IsRoomWanted || _cache.DirtyBytes > _cache.BackgroundLimit / 2);
            bool isOld = _cache.Scheduler.MonotonicNanoseconds - file.DirtySince >= MaxAgeNanoseconds;
            if (!isNeeded && !isOld)
            {
                continue;
            }

            IoFault started = await file.StartWritebackAsync(0, long.MaxValue).ConfigureAwait(false);
            await file.WaitWritebackAsync(0, long.MaxValue).ConfigureAwait(false);
            if (started != IoFault.None || file.HasFailed)
            {
                fault = file.Errors.Last;
                file.PostponeRetry();
            }
        }

        return fault;
    }
}
