namespace Penstock.Simulation.Execution;

/// <summary>
/// The temper of a run, drawn once from its seed: races hide in different corners, and a single way of choosing, however random, looks into
/// few of them.
/// </summary>
internal sealed record OrderProfile
{
    /// <summary>How the next of the ready continuations is chosen.</summary>
    public Order Order { get; init; }

    /// <summary>Of 256 steps on which the device has something to complete and continuations are ready, how many complete a request.</summary>
    public int DeviceWeight { get; init; } = 64;

    /// <summary>Of 4096 steps, how many ring the next alarm although there is work to do.</summary>
    public int AlarmWeight { get; init; } = 8;

    /// <summary>Of 65536 steps, how many let the clock leap by half a minute: whatever is dirty grows old.</summary>
    public int LeapWeight { get; init; } = 16;

    /// <summary>Of 256 choices, how many pass users' continuations over where one of the core's is ready.</summary>
    public int UserDelay { get; init; }

    public static OrderProfile Draw(Chance chance) => new()
    {
        Order = chance.Of(Order.Any, Order.Any, Order.Any, Order.OldestMostly, Order.NewestMostly, Order.Oldest),
        DeviceWeight = chance.Of(2, 12, 40, 100, 200),
        AlarmWeight = chance.Of(0, 4, 40),
        LeapWeight = chance.Of(0, 8, 64, 512),
        UserDelay = chance.Of(0, 0, 200),
    };
}

internal enum Order : byte
{
    /// <summary>Any of them.</summary>
    Any,

    /// <summary>First come, first served.</summary>
    Oldest,

    /// <summary>Mostly the one that waits longest, sometimes any.</summary>
    OldestMostly,

    /// <summary>Mostly the one that came last, sometimes any.</summary>
    NewestMostly,
}
