using Penstock.Ext4.Repairing;

namespace Penstock.Ext4.Checking;

/// <summary>What the blocks of one inode add up to.</summary>
internal sealed class ContentTally(CheckRun run)
{
    private ulong _lastVolume;
    private ulong _lastFile;
    private bool _hasLast;
    private HashSet<ulong>? _seen;

    /// <summary>The last file block that is mapped, or -1.</summary>
    public long LastBlock { get; private set; }

    /// <summary>The last file block that is mapped and written, or -1.</summary>
    public long LastWritten { get; private set; }

    /// <summary>Clusters of contents and of the map itself.</summary>
    public ulong Clusters { get; set; }

    /// <summary>File blocks mapped.</summary>
    public ulong Blocks { get; private set; }

    /// <summary>Whether a claim met another owner.</summary>
    public bool IsShared { get; private set; }

    /// <summary>Whether a file block shares a cluster in a way that the format forbids; only with bigalloc.</summary>
    public bool IsMisaligned { get; private set; }

    /// <summary>Whether it lies, in part, on the volume's own structures.</summary>
    public bool HitsMetadata { get; private set; }

    /// <summary>Collects the places of a directory's blocks, if it is one.</summary>
    public List<DirectoryPlace>? Places { get; set; }

    /// <summary>Of the blocks of the resize inode only the first is its own: the others are the volume's, and only counted.</summary>
    public bool IsResizeInode { get; set; }

    /// <summary>Collects the runs, for who may change the map.</summary>
    public List<MapRun>? Runs { get; set; }

    /// <summary>Collects the blocks of the map itself.</summary>
    public List<ulong>? MapBlocks { get; set; }

    /// <summary>Whether a block of the map itself has another owner: what lies below it was not added.</summary>
    public bool HasSharedMap { get; private set; }

    /// <summary>Whether a silent walk has left out a part whose map lies on the volume's own structures.</summary>
    public bool HasDropped { get; private set; }

    /// <summary>Only to collect: claims nothing, and whoever walks says nothing.</summary>
    public bool IsSilent { get; init; }

    public void Start()
    {
        (LastBlock, LastWritten, Clusters, Blocks) = (-1, -1, 0, 0);
        (Runs, MapBlocks, HasSharedMap, HasDropped) = (null, null, false, false);
        _seen?.Clear();
        (IsShared, IsMisaligned, HitsMetadata, _hasLast, Places, IsResizeInode) = (false, false, false, false, null, false);
    }

    /// <summary>Adds a run of contents; it is known to lie on the volume.</summary>
    public void Add(ulong file, ulong volume, ulong count, bool isUnwritten)
    {
        LastBlock = Math.Max(LastBlock, (long)(file + count - 1));
        LastWritten = isUnwritten ? LastWritten : Math.Max(LastWritten, (long)(file + count - 1));
        Blocks += count;
        if (Places is { } places)
        {
            for (ulong i = 0; i < count; i++)
            {
                places.Add(new DirectoryPlace(volume + i, (uint)(file + i)));
            }
        }

        if (Runs is { } runs && runs.Count < FileMap.MaxRuns)
        {
            runs.Add(new MapRun(file, volume, count, isUnwritten));
        }

        if (IsSilent)
        {
            return;
        }

        if (IsResizeInode)
        {
            Clusters += count;
            return;
        }

        if (run.Geometry.LogClusterRatio == 0)
        {
            Clusters += count;
            Claim(volume, count);
            return;
        }

        AddClusters(file, volume, count);
    }

    /// <summary>Adds a block of the map itself.</summary>
    /// <returns>Whether nobody else claims it.</returns>
    public bool AddMapBlock(ulong volume)
    {
        if (IsSilent)
        {
            // What lies there was never a block of this map.
            if (run.Metadata.Contains(volume))
            {
                HasDropped = true;
                return false;
            }

            // What it claims would show a loop; here it must be seen by itself.
            bool isFirst = (_seen ??= []).Add(volume) && _seen.Count < FileMap.MaxRuns;
            if (isFirst)
            {
                MapBlocks?.Add(volume);
            }

            return isFirst;
        }

        Clusters++;
        if (IsResizeInode && Clusters > 1)
        {
            return true;
        }

        bool wasShared = IsShared;
        IsShared = false;
        Claim(volume, 1);
        bool isNew = !IsShared;
        IsShared |= wasShared;
        HasSharedMap |= !isNew;
        if (isNew)
        {
            MapBlocks?.Add(volume);
        }

        return isNew;
    }

    private void AddClusters(ulong file, ulong volume, ulong count)
    {
        ulong mask = (1UL << run.Geometry.LogClusterRatio) - 1;
        ulong offset = run.Geometry.FirstDataBlock.Value;
        ulong unit = run.UnitOf(volume);
        ulong lastUnit = run.UnitOf(volume + count - 1);
        bool continues = _hasLast && _lastFile >> run.Geometry.LogClusterRatio == file >> run.Geometry.LogClusterRatio;
        bool isSameUnit = _hasLast && run.UnitOf(_lastVolume) == unit;
        IsMisaligned |= (file & mask) != ((volume - offset) & mask) || continues != isSameUnit;
        ulong skipped = isSameUnit ? 1u : 0u;
        Clusters += lastUnit - unit + 1 - skipped;
        if (lastUnit - unit + 1 > skipped && !run.Used.Add(unit + skipped, lastUnit - unit + 1 - skipped, run.Shared))
        {
            IsShared = true;
        }

        HitsMetadata |= run.Metadata.Intersects(volume, count);
        (_lastVolume, _lastFile, _hasLast) = (volume + count - 1, file + count - 1, true);
    }

    private void Claim(ulong volume, ulong count)
    {
        if (!run.Claim(volume, count))
        {
            IsShared = true;
            HitsMetadata |= run.Metadata.Intersects(volume, count);
        }
    }
}
