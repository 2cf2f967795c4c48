using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The one cache of a volume's metadata blocks. Bounded: clean, unpinned blocks make room for others, least recently used first. Any thread.
/// </summary>
internal abstract class MetadataCache
{
    /// <summary>The size of a block in bytes.</summary>
    public abstract int BlockSize { get; }

    /// <summary>The block if it is in memory and readable now; pinned. Waits for nothing and allocates nothing.</summary>
    public abstract MetadataBlock? TryGet(VolumeBlock block);

    /// <summary>The block, read from the device if need be; pinned.</summary>
    /// <exception cref="DeviceException">The block could not be read.</exception>
    /// <exception cref="CorruptVolumeException">The block lies beyond the device.</exception>
    public abstract ValueTask<MetadataBlock> GetAsync(VolumeBlock block);

    /// <summary>Copies a block whose newest content is not in its place on the device yet: changed, being committed, or in the log. False for every other.</summary>
    public virtual bool TryCopyUnplaced(VolumeBlock block, Span<byte> destination) => false;

    /// <summary>A block that was just allocated: zeroed in memory without reading; pinned. The caller edits it in the handle that allocated it.</summary>
    public abstract MetadataBlock GetNew(VolumeBlock block);

    /// <summary>Starts reading blocks that will be wanted soon. Failures are silent: whoever wants the block meets them.</summary>
    public abstract void Prefetch(VolumeBlock first, int count);
}
