using Penstock.Files;

namespace Penstock;

/// <summary>How to make a volume. What is left out is chosen as mke2fs chooses it.</summary>
public sealed record MakingOptions
{
    /// <summary>The type, which chooses the features.</summary>
    public VolumeKind Kind { get; init; } = VolumeKind.Ext4;

    /// <summary>Bytes of the volume; the whole device if null.</summary>
    public long? Length { get; init; }

    /// <summary>Bytes of a block: a power of two from 1024 to 65536. By the volume's size if null.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Bytes of a cluster, with the feature bigalloc: a power of two above the block size. 16 blocks if null.</summary>
    public int? ClusterSize { get; init; }

    /// <summary>Bytes of an inode: a power of two from 128 to the block size.</summary>
    public int InodeSize { get; init; } = 256;

    /// <summary>One inode for so many bytes. By the volume's size if null.</summary>
    public long? BytesPerInode { get; init; }

    /// <summary>How many inodes there must be at least; overrides <see cref="BytesPerInode"/>.</summary>
    public long? InodeCount { get; init; }

    /// <summary>The volume's name: up to 16 bytes of UTF-8.</summary>
    public string Label { get; init; } = string.Empty;

    /// <summary>The volume's identity; random if null.</summary>
    public Guid? Uuid { get; init; }

    /// <summary>The seed of the hashes of hashed directories; random if null.</summary>
    public Guid? HashSeed { get; init; }

    /// <summary>The time of creation; now if null.</summary>
    public Timestamp? Time { get; init; }

    /// <summary>Features to switch on, or off with a "^" before: "bigalloc,^has_journal". "none" switches off all that came before.</summary>
    public string Features { get; init; } = string.Empty;

    /// <summary>Percent of the blocks that only a privileged user may take: 0 to 50.</summary>
    public double ReservedPercent { get; init; } = 5;

    /// <summary>Bytes of the journal; by the volume's size if null.</summary>
    public long? JournalLength { get; init; }

    /// <summary>Groups whose bitmaps and inode tables lie together, with the feature flex_bg: a power of two.</summary>
    public int GroupsPerFlex { get; init; } = 16;

    /// <summary>Whether to tell the device first that nothing on it is needed any more.</summary>
    public bool DiscardsFirst { get; init; } = true;

    /// <summary>
    /// Whether inode tables are left as they are where the format lets a group say so (with metadata_csum or uninit_bg), for the kernel to
    /// zero after the first mount. Otherwise all of them are zeroed, which is cheap only where the device zeroes by itself.
    /// </summary>
    public bool LeavesInodeTables { get; init; } = true;
}
