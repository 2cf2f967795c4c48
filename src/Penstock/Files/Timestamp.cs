namespace Penstock.Files;

/// <summary>A point in time as files record it: seconds since 1970-01-01 UTC, and the nanoseconds after that second.</summary>
/// <param name="Seconds">Seconds since the epoch; negative before it.</param>
/// <param name="Nanoseconds">0 to 999,999,999, counted forward from <paramref name="Seconds"/> for times before the epoch too.</param>
public readonly record struct Timestamp(long Seconds, int Nanoseconds = 0) : IComparable<Timestamp>
{
    /// <summary>Nanoseconds in a second.</summary>
    public const int NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The same time as a <see cref="DateTimeOffset"/>, to its 100 ns, clamped to the range that type has.</summary>
    public DateTimeOffset ToDateTimeOffset()
    {
        long first = DateTimeOffset.MinValue.ToUnixTimeSeconds();
        long last = DateTimeOffset.MaxValue.ToUnixTimeSeconds();
        return DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(Seconds, first, last)).AddTicks(Nanoseconds / 100);
    }

    /// <summary>The timestamp of <paramref name="time"/>.</summary>
    public static Timestamp From(DateTimeOffset time)
    {
        long ticks = time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;
        long seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out long rest);
        return rest < 0
            ? new Timestamp(seconds - 1, (int)(rest + TimeSpan.TicksPerSecond) * 100)
            : new Timestamp(seconds, (int)rest * 100);
    }

    /// <inheritdoc/>
    public int CompareTo(Timestamp other) =>
        Seconds != other.Seconds ? Seconds.CompareTo(other.Seconds) : Nanoseconds.CompareTo(other.Nanoseconds);
}
