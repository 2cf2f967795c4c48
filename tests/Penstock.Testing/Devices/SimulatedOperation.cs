using Penstock.Devices;

namespace Penstock.Testing.Devices;

/// <summary>One request that a <see cref="SimulatedDevice"/> was given: recorded in the order of submission.</summary>
internal sealed class SimulatedOperation
{
    internal SimulatedOperation(int number, DeviceRequest request)
    {
        Number = number;
        Request = request;
        Operation = request.Operation;
        Offset = request.Offset;
        Length = request.Length;
        SegmentCount = request.Segments.Length;
    }

    /// <summary>0 for the first request of the device.</summary>
    public int Number { get; }

    public DeviceOperation Operation { get; }

    public long Offset { get; }

    public long Length { get; }

    public int SegmentCount { get; }

    /// <summary>What it was completed with; null while it is in flight.</summary>
    public IoResult? Result { get; internal set; }

    public bool IsInFlight => Result is null;

    /// <summary>Whether a test holds it back: it completes only when it is released.</summary>
    public bool IsHeld { get; internal set; }

    /// <summary>How many operations had completed when this one was submitted: what it can rely on.</summary>
    public int CompletedBefore { get; internal init; }

    /// <summary>The request, while in flight.</summary>
    internal DeviceRequest? Request { get; set; }

    public bool IsWrite => Operation is DeviceOperation.Write or DeviceOperation.WriteThrough;

    /// <summary>Whether the operation touches any byte of the range.</summary>
    public bool Overlaps(long offset, long length) => Offset < offset + length && offset < Offset + Length;

    public override string ToString() => $"#{Number} {Operation} {Offset}+{Length} {(Result is { } r ? $"{r.Bytes} {r.Fault}" : "in flight")}";
}
