using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Devices;

/// <summary>How a simulated device behaves in one run.</summary>
internal sealed record DeviceProfile
{
    /// <summary>Of 256 requests, how many are slow: they complete only now and then while anything else can go on.</summary>
    public int SlowRequests { get; init; }

    /// <summary>Of 256 transfers, how many move their bytes as they are submitted rather than as they complete.</summary>
    public int MovesEarly { get; init; } = 64;

    /// <summary>Of 256 transfers, how many move some sectors early and the others late.</summary>
    public int MovesTorn { get; init; } = 32;

    /// <summary>Of 1024 reads of files' data, how many fail.</summary>
    public int ReadFaults { get; init; }

    /// <summary>Of 1024 writes of files' data, how many fail.</summary>
    public int WriteFaults { get; init; }

    /// <summary>Of 1024 flushes, how many fail. The device fails them ever after (device contract 5).</summary>
    public int FlushFaults { get; init; }

    /// <summary>Of 1024 writes of metadata, how many fail.</summary>
    public int MetadataFaults { get; init; }

    /// <summary>Of 1024 reads of metadata, how many fail.</summary>
    public int MetadataReadFaults { get; init; }

    /// <summary>Whether failing writes say that the host has no space left.</summary>
    public bool IsHostFull { get; init; }

    public static DeviceProfile Draw(Chance chance) => new()
    {
        SlowRequests = chance.Of(0, 0, 8, 40, 120),
        MovesEarly = chance.Of(0, 64, 200),
        MovesTorn = chance.Of(0, 32, 64),
    };
}
