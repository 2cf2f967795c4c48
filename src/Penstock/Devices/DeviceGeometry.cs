namespace Penstock.Devices;

/// <summary>The fixed numbers of an opened host file or device.</summary>
internal readonly record struct DeviceGeometry
{
    /// <summary>The length in bytes, a multiple of the logical block size.</summary>
    public required long Length { get; init; }

    public required int LogicalBlockSize { get; init; }

    public required int PhysicalBlockSize { get; init; }

    public required int MemoryAlignment { get; init; }

    public required bool IsReadOnly { get; init; }

    public required bool CanDiscard { get; init; }

    /// <summary>Whether it is a block device of the host and not a regular file.</summary>
    public required bool IsBlockDevice { get; init; }
}
