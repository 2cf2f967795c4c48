using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>Which failures an operation may meet: those that the device's faults explain, and refusals that the semantics ask for.</summary>
internal static class Faults
{
    /// <summary>Why an operation cannot have ended so, or null.</summary>
    public static string? Judge(in FaultGrounds grounds, Operation operation, IoFault fault, long result)
    {
        if (operation.IsMisaligned)
        {
            return fault == IoFault.InvalidArgument ? null : $"it is misaligned, but ended with {fault}";
        }

        if (fault == IoFault.None)
        {
            bool isShort = operation.Kind == OperationKind.Write && result < operation.Length;
            return isShort && grounds.DeviceFaults == 0 && !grounds.MayRunOut ? $"only {result} bytes were written, though nothing failed" : null;
        }

        return IsExplained(grounds, operation, fault) ? null : $"it failed with {fault}, though nothing did that could explain it";
    }

    private static bool IsExplained(in FaultGrounds grounds, Operation operation, IoFault fault) => fault switch
    {
        IoFault.NoSpace => grounds.MayRunOut || (grounds.DeviceFaults > 0 && grounds.Plan.Device.IsHostFull),
        IoFault.DeviceFailed => grounds.DeviceFaults > 0
            || (operation.Kind is OperationKind.Sync or OperationKind.SyncData && grounds.HasDirectWrites)
            || ((operation.Options & (IoOptions.DataSync | IoOptions.Sync)) != 0 && grounds.HasDirectWrites),
        IoFault.ReadOnly => grounds.DeviceFaults > 0 && grounds.Plan.Device is not { MetadataFaults: 0, FlushFaults: 0, MetadataReadFaults: 0 },
        IoFault.Cancelled => operation.IsCancelled,
        IoFault.InvalidArgument => operation.Kind is OperationKind.Collapse or OperationKind.Insert || IsUnalignedAppend(operation),
        IoFault.Busy => operation.Kind is OperationKind.Collapse or OperationKind.Insert,
        _ => false,
    };

    /// <summary>A direct append to a file whose end is not aligned is refused.</summary>
    private static bool IsUnalignedAppend(Operation operation) =>
        operation.Kind == OperationKind.Write && operation.IsDirect && (operation.Options & IoOptions.Append) != 0;
}

/// <summary>What may explain a failure.</summary>
/// <param name="Plan">What the run was to do.</param>
/// <param name="DeviceFaults">How many requests of the device have failed.</param>
/// <param name="HasDirectWrites">Whether the file was written directly: a page that could not be dropped after it is told by the next sync (Rule 2.6).</param>
internal readonly record struct FaultGrounds(Plan Plan, int DeviceFaults, bool HasDirectWrites)
{
    public bool MayRunOut => Plan.Ballast > 0;
}
