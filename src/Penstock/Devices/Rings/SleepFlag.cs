namespace Penstock.Devices.Rings;

/// <summary>
/// Whether a loop sleeps, so that only who finds it asleep pays for waking it. The loop says that it sleeps, then looks for what was left for it; the others leave
/// something, then look whether it sleeps. Both are full fences, so one of the two sees the other.
/// </summary>
internal sealed class SleepFlag
{
    private int _isAsleep;

    /// <summary>The loop, before it looks a last time.</summary>
    public void Say() => Interlocked.Exchange(ref _isAsleep, 1);

    /// <summary>The loop, when it is up again or has found something.</summary>
    public void TakeBack() => Volatile.Write(ref _isAsleep, 0);

    /// <summary>Any thread, after it has left something for the loop: whether it is the caller's to wake it.</summary>
    public bool MustWake()
    {
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _isAsleep) != 0 && Interlocked.Exchange(ref _isAsleep, 0) != 0;
    }
}
