using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Recovery;

/// <summary>A volume as it is to be opened, its journal being empty or laid over it.</summary>
internal sealed class RecoveredVolume : IDisposable
{
    private readonly LogArea? _area;

    /// <param name="device">The volume's device, or what stands for it.</param>
    /// <param name="superblock">The superblock on it.</param>
    /// <param name="area">The journal that is laid over the device; belongs to this one.</param>
    public RecoveredVolume(BlockDevice device, Superblock superblock, LogArea? area = null)
    {
        Device = device;
        Superblock = superblock;
        _area = area;
    }

    public BlockDevice Device { get; }

    public Superblock Superblock { get; }

    /// <summary>What was in the journal; null if nothing was.</summary>
    public RecoverySummary? Summary { get; init; }

    /// <summary>Why the journal keeps the volume from being written; null if it does not.</summary>
    public string? ReadOnlyReason { get; init; }

    /// <summary>Whether the free totals of the superblock say nothing: the group descriptors count.</summary>
    public bool HasStaleTotals { get; init; }

    public void Dispose() => _area?.Dispose();
}
