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

    /// <summary>The power goes at any step up to this one, or when the clients are done, and a journal recovers all files; 0: only as something is acknowledged.</summary>
    public int MostStepsToPowerLoss { get; init; }

    /// <summary>Whether blocks beyond the end of a file are what somebody asked for.</summary>
    public bool Preallocates(int file) => (Ballast > 0 && file == VolumeImage.FileCount - 1)
        || Operations.Any(static o => o.Kind is OperationKind.AllocateKeepingSize or OperationKind.ZeroKeepingSize);
}
