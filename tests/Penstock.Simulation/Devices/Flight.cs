using Penstock.Devices;

namespace Penstock.Simulation.Devices;

/// <summary>One request that a <see cref="SimulationDevice"/> owns. Reused.</summary>
internal sealed class Flight
{
    public DeviceRequest Request { get; set; } = null!;

    public int Number { get; set; }

    /// <summary>Completes only now and then while anything else can go on.</summary>
    public bool IsSlow { get; set; }

    /// <summary>Held back on purpose, until nothing else can go on.</summary>
    public bool IsHeld { get; set; }

    /// <summary>Which sectors have moved already: all, none, or those whose bit in the pattern is set.</summary>
    public ulong MovedPattern { get; set; }

    /// <summary>How many requests had completed when this one was submitted: what a flush covers.</summary>
    public long CompletedBefore { get; set; }

    public DataOf Data { get; set; }
}

/// <summary>Which part of the core a request belongs to.</summary>
internal enum DataOf : byte
{
    /// <summary>The volume's own structures, and everything that is no transfer.</summary>
    Metadata,

    /// <summary>A direct read or write.</summary>
    Direct,

    /// <summary>A fill of the page cache.</summary>
    Fill,

    /// <summary>Writeback of the page cache.</summary>
    Writeback,
}
