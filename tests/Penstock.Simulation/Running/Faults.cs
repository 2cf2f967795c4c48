using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>Which failures an operation may meet: those that the device's faults explain, and refusals that the semantics ask for.</summary>
internal static class Faults
{
    /// <summary>Why an operation cannot have ended so, or null.</summary>
    public static string? Judge(World world, Operation operation, IoFault fault, long result)
    {
        if (operation.IsMisaligned)
        {
            return fault == IoFault.InvalidArgument ? null : $"it is misaligned, but ended with {fault}";
        }

        if (fault == IoFault.None)
        {
            bool isShort = operation.Kind == OperationKind.Write && result < operation.Length;
            return isShort && world.Device.Faults == 0 && !MayRunOut(world) ? $"only {result} bytes were written, though nothing failed" : null;
        }

        return IsExplained(world, operation, fault) ? null : $"it failed with {fault}, though nothing did that could explain it";
    }

    private static bool IsExplained(World world, Operation operation, IoFault fault) => fault switch
    {
        IoFault.NoSpace => MayRunOut(world) || (world.Device.Faults > 0 && world.Plan.Device.IsHostFull),
        IoFault.DeviceFailed => world.Device.Faults > 0
            || (operation.Kind is OperationKind.Sync or OperationKind.SyncData && world.Files[operation.File].HasDirectWrites)
            || ((operation.Options & (IoOptions.DataSync | IoOptions.Sync)) != 0 && world.Files[operation.File].HasDirectWrites),
        IoFault.ReadOnly => world.Device.Faults > 0 && (world.Plan.Device.MetadataFaults > 0 || world.Plan.Device.FlushFaults > 0),
        IoFault.Cancelled => operation.IsCancelled,
        IoFault.InvalidArgument => operation.Kind is OperationKind.Collapse or OperationKind.Insert || IsUnalignedAppend(operation),
        IoFault.Busy => operation.Kind is OperationKind.Collapse or OperationKind.Insert,
        _ => false,
    };

    /// <summary>A direct append to a file whose end is not aligned is refused.</summary>
    private static bool IsUnalignedAppend(Operation operation) =>
        operation.Kind == OperationKind.Write && operation.IsDirect && (operation.Options & IoOptions.Append) != 0;

    private static bool MayRunOut(World world) => world.Plan.Ballast > 0;
}
