using System.Globalization;
using Penstock.Devices.Partitions;

namespace Penstock.Devices;

/// <summary>One partition of a disk. A flush is the whole disk's.</summary>
internal sealed class PartitionDevice : ForwardingDevice
{
    private readonly PartitionEntry _entry;

    public PartitionDevice(string name, BlockDevice disk, PartitionEntry entry)
        : base(name, disk)
    {
        if (entry.Offset < 0 || entry.Length < 0 || entry.Offset > disk.Length - entry.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(entry), entry, "The partition does not lie within the disk.");
        }

        if (((entry.Offset | entry.Length) & (disk.LogicalBlockSize - 1)) != 0)
        {
            throw new DeviceException(
                IoFault.InvalidArgument, name, $"the partition is not aligned to the disk's {disk.LogicalBlockSize}-byte blocks", entry.Offset);
        }

        _entry = entry;
    }

    public override string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"{_entry.Scheme} partition {_entry.Number} at byte {_entry.Offset}; {Inner.Description}");

    public override long Length => _entry.Length;

    protected override void SubmitChecked(DeviceRequest request) =>
        Forward(request, request.Operation == DeviceOperation.Flush ? 0 : _entry.Offset);
}
