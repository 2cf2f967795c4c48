using Penstock.Execution;

namespace Penstock.Devices;

/// <summary>How to open a device.</summary>
internal sealed record DeviceOptions
{
    public Scheduler Scheduler { get; init; } = Scheduler.Default;

    /// <summary>Open for reading only: needs no right to write, and writes not one byte.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Make an image file of this many bytes if nothing has that name; null: it must exist.</summary>
    public long? CreateLength { get; init; }

    /// <summary>Use the portable path even where io_uring and O_DIRECT are to be had.</summary>
    public bool IsPortable { get; init; }
}
