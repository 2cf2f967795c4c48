using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4;

/// <summary>
/// Keeps the primary superblock on the device true: not clean, durably, before the first change; counts at commits; clean again at the end.
/// Backups are left as they were, as Linux leaves them.
/// </summary>
internal sealed class SuperblockKeeper(Ext4Volume volume, string? mountedOn)
{
    private const int WholeRead = 4096;

    private bool _isMarked;
    private bool _isDirty;

    /// <summary>Whether the volume was marked as not clean, because something was to be changed.</summary>
    public bool IsMarked => _isMarked;

    /// <summary>Reads the bytes of the primary superblock.</summary>
    /// <exception cref="CorruptVolumeException">The device is too short for one.</exception>
    /// <exception cref="DeviceException">It could not be read.</exception>
    public static async ValueTask<byte[]> ReadAsync(BlockDevice device)
    {
        if (device.Length < Superblock.VolumeOffset + Superblock.Size)
        {
            throw new CorruptVolumeException("volume", device.Name, "length", $"{device.Length} bytes, too few for a superblock");
        }

        using AlignedBuffer buffer = await ReadHeadAsync(device).ConfigureAwait(false);
        return buffer.GetSpan().Slice(Superblock.VolumeOffset, Superblock.Size).ToArray();
    }

    /// <summary>
    /// Marks the volume on the device, durably, as not closed. Without a log the Clean bit of s_state goes, so that e2fsck checks the volume if nobody
    /// puts it back; with one needs_recovery comes, so that the log is replayed, and the bit is left alone, as Linux does. Mount time and count are
    /// raised as on a mount.
    /// </summary>
    public async ValueTask MarkAsync(bool hasLog)
    {
        Timestamp now = Now();
        Change(superblock =>
        {
            if (hasLog)
            {
                superblock.Features = superblock.Features.With(IncompatFeatures.NeedsRecovery);
            }
            else
            {
                superblock.State &= ~VolumeStates.Clean;
            }

            superblock.MountCount++;
            superblock.LastMounted = now;
            superblock.LastWritten = now;
            if (superblock.Has(CompatFeatures.OrphanFile))
            {
                superblock.Features = superblock.Features.With(ReadOnlyCompatFeatures.OrphanPresent);
            }

            if (mountedOn is not null && System.Text.Encoding.UTF8.GetByteCount(mountedOn) <= 64)
            {
                superblock.LastMountedOn = mountedOn;
            }
        });
        await WriteThroughAsync().ConfigureAwait(false);
        _isMarked = true;
    }

    /// <summary>Puts the free counts, and whatever else changed, into the superblock's block: one credit.</summary>
    public async ValueTask StoreAsync(Handle handle)
    {
        ulong freeBlocks = volume.Space.FreeBlocks;
        uint freeInodes = volume.Space.FreeInodes;
        lock (volume.Superblock)
        {
            Superblock superblock = volume.Superblock;
            if (!_isDirty && superblock.FreeBlockCount == freeBlocks && superblock.FreeInodeCount == freeInodes && !volume.Damage.HasNew)
            {
                return;
            }
        }

        await PutAsync(
            handle,
            superblock =>
            {
                superblock.FreeBlockCount = freeBlocks;
                superblock.FreeInodeCount = freeInodes;
                superblock.LastWritten = Now();
                volume.Damage.MoveTo(superblock);
            }).ConfigureAwait(false);
        _isDirty = false;
    }

    /// <summary>Changes fields and stores the superblock in <paramref name="handle"/>: one credit.</summary>
    public async ValueTask PutAsync(Handle handle, Action<Superblock> change)
    {
        VolumeBlock number = new((ulong)(Superblock.VolumeOffset / volume.Geometry.BlockSize));
        MetadataBlock block = await volume.Cache.GetAsync(number).ConfigureAwait(false);
        Put(handle, block, change);
        block.Unpin();
    }

    /// <summary>Sets a feature; the next commit stores it.</summary>
    public void AddFeature(FeatureSet feature)
    {
        lock (volume.Superblock)
        {
            FeatureSet before = volume.Superblock.Features;
            volume.Superblock.Features = before.With(feature);
            _isDirty |= before != volume.Superblock.Features;
        }
    }

    /// <summary>
    /// The last thing before closing: everything else is in its place on the device, and the log, if there is one, is empty. Marks the volume as clean
    /// again, if it was marked at all: a volume that was found damaged before it was changed is not written.
    /// </summary>
    public async ValueTask CloseAsync(bool hasNoOrphans)
    {
        bool isLeftUnclean = volume.IsDamaged && !volume.Superblock.Has(IncompatFeatures.NeedsRecovery);
        if (!_isMarked || isLeftUnclean)
        {
            if (_isMarked && volume.Damage.HasNew)
            {
                Change(volume.Damage.MoveTo);
                await WriteThroughAsync().ConfigureAwait(false);
            }

            return;
        }

        Change(superblock =>
        {
            superblock.Features = superblock.Features.Without(IncompatFeatures.NeedsRecovery);
            superblock.State |= volume.IsDamaged ? VolumeStates.HasErrors : VolumeStates.Clean;
            volume.Damage.MoveTo(superblock);
            superblock.FreeBlockCount = volume.Space.FreeBlocks;
            superblock.FreeInodeCount = volume.Space.FreeInodes;
            superblock.LastWritten = Now();
            if (hasNoOrphans)
            {
                superblock.Features = superblock.Features.Without(ReadOnlyCompatFeatures.OrphanPresent);
            }
        });
        await WriteThroughAsync().ConfigureAwait(false);
    }

    /// <summary>Writes the primary superblock, durably.</summary>
    /// <exception cref="DeviceException">It could not be written.</exception>
    public static async ValueTask WriteAsync(BlockDevice device, Superblock superblock)
    {
        using AlignedBuffer buffer = await ReadHeadAsync(device).ConfigureAwait(false);
        lock (superblock)
        {
            superblock.WriteTo(buffer.GetSpan().Slice(Superblock.VolumeOffset, Superblock.Size));
        }

        // No more than the device's unit around the superblock, so that its neighbours are not written with it.
        int unit = Math.Max(device.LogicalBlockSize, 512);
        int start = Superblock.VolumeOffset & -unit;
        int end = (Superblock.VolumeOffset + Superblock.Size + unit - 1) & -unit;
        IoSegment segment = buffer.Segment.Slice(start, end - start);
        if (!segment.IsAligned(device.MemoryAlignment))
        {
            (start, segment) = (0, buffer.Segment);
        }

        IoResult result = await device.WriteAsync(start, segment, isThrough: true).ConfigureAwait(false);
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, device.Name, "the superblock could not be written", 0);
        }
    }

    private static async ValueTask<AlignedBuffer> ReadHeadAsync(BlockDevice device)
    {
        int unit = Math.Max(device.LogicalBlockSize, WholeRead);
        int length = (int)Math.Min(unit, device.Length);
        var buffer = new AlignedBuffer(length, Math.Max(device.MemoryAlignment, WholeRead));
        IoResult result = await device.ReadAsync(0, buffer.Segment).ConfigureAwait(false);
        if (result.IsFailed)
        {
            ((IDisposable)buffer).Dispose();
            throw new DeviceException(result.Fault, device.Name, "the superblock could not be read", 0);
        }

        return buffer;
    }

    private Timestamp Now() => new(volume.Scheduler.UnixNanoseconds / Timestamp.NanosecondsPerSecond);

    private void Change(Action<Superblock> change)
    {
        lock (volume.Superblock)
        {
            change(volume.Superblock);
        }
    }

    private void Put(Handle handle, MetadataBlock block, Action<Superblock> change)
    {
        int offset = Superblock.VolumeOffset % volume.Geometry.BlockSize;
        using BlockEdit edit = handle.Edit(block);
        lock (volume.Superblock)
        {
            change(volume.Superblock);
            volume.Superblock.WriteTo(edit.Bytes.Slice(offset, Superblock.Size));
        }
    }

    /// <summary>
    /// Writes the superblock past the cache, for moments when no handle is open. The cached block, if there is one, is written whole from the
    /// same fields before anybody relies on it.
    /// </summary>
    private ValueTask WriteThroughAsync() => WriteAsync(volume.Device, volume.Superblock);
}
