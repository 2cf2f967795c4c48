namespace Penstock;

/// <summary>A device could not be opened, or failed a transfer, a flush or a discard.</summary>
public sealed class DeviceException : FileSystemException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="fault">The reason.</param>
    /// <param name="device">The device, as it was named when opened.</param>
    /// <param name="message">What failed and what can be done.</param>
    /// <param name="offset">The byte offset of the failed transfer, or -1 where none applies.</param>
    /// <param name="inner">The cause, if another exception was.</param>
    public DeviceException(IoFault fault, string device, string message, long offset = -1, Exception? inner = null)
        : base(fault, offset < 0 ? $"{device}: {message}" : $"{device}: {message} (at byte {offset})", inner)
    {
        Device = device;
        Offset = offset;
    }

    /// <summary>The device, as it was named when opened.</summary>
    public string Device { get; }

    /// <summary>The byte offset of the failed transfer, or -1 where none applies.</summary>
    public long Offset { get; }
}
