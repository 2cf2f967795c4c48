using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Scenarios;

/// <summary>Everything about a run that is settled before it begins.</summary>
internal sealed record Plan
{
    public required VolumeShape Shape { get; init; }

    public required IReadOnlyList<Operation> Operations { get; init; }

    /// <summary>The memory of the page cache, in bytes: a few pages, so that it is always too small.</summary>
    public long CacheBytes { get; init; } = 256 * 1024;

    /// <summary>The memory of metadata, in bytes.</summary>
    public long MetadataBytes { get; init; } = 1 << 20;

    /// <summary>Whether freed blocks are discarded: what is discarded is poisoned.</summary>
    public bool DiscardsFreed { get; init; }

    public OrderProfile Order { get; init; } = new();

    public DeviceProfile Device { get; init; } = new();

    /// <summary>How many bytes of the volume another file takes before the run, so that space runs out.</summary>
    public long Ballast { get; init; }

    /// <summary>Whether the power goes at some step, and what was acknowledged as durable must be there.</summary>
    public bool LosesPower { get; init; }
}
