using System.Numerics;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// How a file's requests are shaped: small files, and larger ones that are complete, one behind the other in the group of their inode; files that grow with a window behind them,
/// which is the larger the larger they are. Complete is what is written back as a whole when nobody has it open for writing any more.
/// </summary>
internal sealed class FileGoal(Ext4Volume volume, IBlockMapOwner owner)
{
    /// <summary>A file up to this size that is written back as a whole is packed behind the previous one.</summary>
    private const long MaxStreamSize = 64 * 1024;

    /// <summary>The same for one that nobody will make longer: larger ones are kept away from where the small come and go.</summary>
    private const long MaxCompleteStreamSize = 8 * 1024 * 1024;

    private const ulong MinWindow = 64 * 1024;
    private const ulong MaxWindow = 8 * 1024 * 1024;
    private const ulong DirectoryWindowBlocks = 8;

    public AllocationWindow Window { get; } = new();

    private VolumeGeometry Geometry => volume.Geometry;

    /// <summary>A request for a hole of a file.</summary>
    /// <param name="first">The first block of the hole.</param>
    /// <param name="count">How many blocks.</param>
    /// <param name="clusters">How many clusters those need.</param>
    /// <param name="goal">Where the neighbouring blocks would have it; block 0 if there are none.</param>
    /// <param name="isContinuation">Whether it should be exactly there.</param>
    /// <param name="use">The account.</param>
    public AllocationRequest Shape(ulong first, ulong count, ulong clusters, VolumeBlock goal, bool isContinuation, SpaceUse use)
    {
        ulong sizeInBlocks = ((ulong)Math.Max(owner.Size, 0) + (uint)Geometry.BlockSize - 1) >> Geometry.LogBlockSize;
        bool isAtEnd = first + count >= sizeInBlocks;
        bool isWhole = !owner.HasMetadataContent && use == SpaceUse.Reserved && isAtEnd;
        bool isComplete = isWhole && !owner.HasWriters;
        bool isStream = isWhole && owner.Size <= (isComplete ? MaxCompleteStreamSize : MaxStreamSize);
        bool hasGoal = goal.Value != 0;
        bool mayGrow = isAtEnd && !isStream && !isComplete;
        return new AllocationRequest
        {
            Goal = hasGoal ? goal : FirstGoal(isStream),
            Clusters = clusters,
            Use = use,
            IsContinuation = isContinuation,
            IsStream = isStream,
            Window = mayGrow ? Window : null,
            WindowClusters = mayGrow ? WindowClusters(Math.Max(sizeInBlocks, first + count)) : 0,
        };
    }

    private uint WindowClusters(ulong blocks)
    {
        ulong wanted = owner.HasMetadataContent
            ? DirectoryWindowBlocks
            : Math.Clamp(BitOperations.RoundUpToPowerOf2(blocks), MinWindow >> Geometry.LogBlockSize, MaxWindow >> Geometry.LogBlockSize);
        return (uint)Math.Max(wanted >> Geometry.LogClusterRatio, 1);
    }

    /// <summary>
    /// The goal of a file without blocks: its inode's group, small files from the group's start, others spread over its later part so that
    /// several that grow at once do not meet.
    /// </summary>
    private VolumeBlock FirstGoal(bool isSmall)
    {
        const ulong Places = 8;
        BlockGroup group = Geometry.Locate(owner.Number).Group;
        ulong size = Geometry.BlocksIn(group);
        bool staysAtStart = isSmall || owner.HasMetadataContent;
        ulong offset = staysAtStart ? 0 : (size / 4) + (owner.Number.Value % Places * size / (2 * Places));
        return Geometry.FirstBlockOf(group) + (offset & ~((ulong)Geometry.ClusterRatio - 1));
    }
}
