using Penstock.Files;

namespace Penstock.Ext4.Format;

/// <summary>
/// The two words of a time: 32 signed bits of seconds; in the extra word 2 more bits above them and 30 bits of nanoseconds.
/// See https://docs.kernel.org/filesystems/ext4/inodes.html#inode-timestamps.
/// </summary>
internal static class InodeTime
{
    private const int EpochBits = 2;
    private const uint EpochMask = 3;

    /// <summary>The first and last second that 34 bits hold: 1901-12-13 to 2446-05-10.</summary>
    public const long MinSeconds = int.MinValue;

    public const long MaxSeconds = int.MinValue + (1L << 34) - 1;

    public static Timestamp Read(uint seconds, uint extra)
    {
        long whole = (int)seconds + ((long)(extra & EpochMask) << 32);

        // 30 bits can hold a little more than the nanoseconds of a second; a stray value counts as the last of them.
        int nanoseconds = (int)Math.Min(extra >> EpochBits, Timestamp.NanosecondsPerSecond - 1);
        return new Timestamp(whole, nanoseconds);
    }

    public static (uint Seconds, uint Extra) Write(Timestamp time)
    {
        Timestamp clamped = Clamp(time);
        uint epoch = (uint)((clamped.Seconds - (int)clamped.Seconds) >> 32) & EpochMask;
        return ((uint)clamped.Seconds, ((uint)clamped.Nanoseconds << EpochBits) | epoch);
    }

    /// <summary>The nearest time that an inode with extra words holds, as Linux clamps it.</summary>
    public static Timestamp Clamp(Timestamp time) => time.Seconds switch
    {
        < MinSeconds => new Timestamp(MinSeconds),
        > MaxSeconds => new Timestamp(MaxSeconds),
        _ => time,
    };

    /// <summary>The nearest time that an inode without extra words holds: whole seconds up to 2038.</summary>
    public static Timestamp ClampToSeconds(Timestamp time) => new(Math.Clamp(time.Seconds, int.MinValue, int.MaxValue));
}
