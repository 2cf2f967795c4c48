using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// One round of a repair: a check whose passes put right what they find, until the first pass that has changed something ends. What later passes
/// would find then rests on what is no longer so; the next round sees the volume as it has become. Used by one activity.
/// </summary>
internal sealed class Repair(RepairLog log, RepairState state, HeldWritesDevice device, Timestamp now)
{
    private CheckRun _run = null!;
    private readonly Dictionary<uint, string> _descriptors = [];
    private ulong _nextUnit;
    private bool _isFull;

    /// <summary>When inodes that are removed were deleted, and the volume was checked.</summary>
    public Timestamp Now => now;

    /// <summary>Whether this round has changed anything.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Changes of directories that wait for the end of their pass.</summary>
    public DirectoryChanges Directories { get; private set; } = null!;

    /// <summary>Where inodes without a name go.</summary>
    public LostAndFound LostAndFound { get; private set; } = null!;

    /// <summary>What is remembered from round to round.</summary>
    public RepairState State => state;

    /// <summary>Whether so much is held back that the round should end, to be written.</summary>
    public bool IsFull => device.HeldBytes > VolumeRepairer.MaxHeldBytes;

    /// <summary>Structures of groups that cannot be where they are said to be.</summary>
    public List<(uint Group, GroupPart Part)> Lost { get; } = [];

    /// <summary>Inodes whose clusters are out of step with their files.</summary>
    public HashSet<uint> Misaligned { get; } = [];

    public bool IsTableLost(uint group) => Lost.Count > 0 && Lost.Contains((group, GroupPart.InodeTable));

    /// <summary>Ends the round for the journal to be replayed.</summary>
    public void AskReplay() => (HasChanged, state.NeedsReplay) = (true, true);

    public void Attach(CheckRun run) =>
        (_run, Directories, LostAndFound) = (run, new DirectoryChanges(run, this), new LostAndFound(run, this));

    /// <summary>Notes a problem that is put right.</summary>
    public void Note(string structure, string place, string found)
    {
        HasChanged = true;
        log.Add(structure, place, found);
    }

    public async ValueTask WriteAsync(ulong block, IoSegment bytes) => await _run.Store.WriteAsync(block, bytes).ConfigureAwait(false);

    public async ValueTask WriteAsync(ulong block, ReadOnlyMemory<byte> bytes)
    {
        using AlignedBuffer buffer = _run.Store.Allocate(1);
        buffer.GetSpan().Clear();
        bytes.Span.CopyTo(buffer.GetSpan());
        await _run.Store.WriteAsync(block, buffer.Segment).ConfigureAwait(false);
    }

    /// <summary>The checksum seed of an inode's blocks.</summary>
    public async ValueTask<uint> SeedOfAsync(uint number)
    {
        using var peek = new InodePeek(_run);
        InodeRecord? inode = await peek.ReadAsync(number).ConfigureAwait(false);
        return _run.Checksum.SeedOf(new InodeNumber(number), inode?.Generation ?? 0);
    }

    /// <summary>Writes an inode with its checksum; where its table is lost there is nothing to write to.</summary>
    public async ValueTask WriteInodeAsync(uint number, InodeRecord record)
    {
        InodeLocation location = _run.Geometry.Locate(new InodeNumber(number));
        ulong table = _run.Descriptors[location.Group.Value].InodeTable.Value;
        if (!_run.Contains(table, _run.Geometry.InodeTableBlocks))
        {
            return;
        }

        ulong block = table + location.TableBlock;
        using AlignedBuffer buffer = _run.Store.Allocate(1);
        await _run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false);
        record.WriteTo(buffer.GetSpan().Slice(location.OffsetInBlock, _run.Geometry.InodeSize), new InodeNumber(number), _run.Checksum);
        await _run.Store.WriteAsync(block, buffer.Segment).ConfigureAwait(false);
    }

    /// <summary>Writes a group's descriptor with its checksum to its primary place.</summary>
    public async ValueTask WriteDescriptorAsync(uint group)
    {
        (VolumeBlock block, int offset) = _run.Geometry.LocateDescriptor(new BlockGroup(group));
        using AlignedBuffer buffer = _run.Store.Allocate(1);
        await _run.Store.ReadAsync(block.Value, 1, buffer.Segment).ConfigureAwait(false);
        _run.Descriptors[group].WriteTo(
            buffer.GetSpan().Slice(offset, _run.Geometry.DescriptorSize), new BlockGroup(group), _run.GroupChecksum);
        await _run.Store.WriteAsync(block.Value, buffer.Segment).ConfigureAwait(false);
    }

    /// <summary>Has a group's descriptor written, once it says what it should.</summary>
    public void MarkDescriptor(uint group, string found) => _descriptors.TryAdd(group, found);

    public async ValueTask WriteMarkedDescriptorsAsync()
    {
        foreach ((uint group, string found) in _descriptors)
        {
            Note("group descriptor", $"group {group}", found);
            await WriteDescriptorAsync(group).ConfigureAwait(false);
        }

        _descriptors.Clear();
    }

    /// <summary>Writes the descriptors in use, a backup's, to their primary places, and the superblock too if that is one's.</summary>
    public async ValueTask RestorePrimaryAsync()
    {
        if (_run.SuperblockAt != _run.Geometry.SuperblockBlock)
        {
            Note("superblock", $"offset {Superblock.VolumeOffset}", $"the backup in block {_run.SuperblockAt.Value} takes its place");
            _run.Superblock.BlockGroupNumber = 0;
            await WriteSuperblockAsync().ConfigureAwait(false);
        }

        Note("group descriptors", "primary", "a backup takes their place");
        for (uint group = 0; group < _run.Geometry.GroupCount; group++)
        {
            await WriteDescriptorAsync(group).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the superblock with its checksum to its primary place.</summary>
    public async ValueTask WriteSuperblockAsync()
    {
        HasChanged = true;
        ulong block = _run.Geometry.SuperblockBlock.Value;
        using AlignedBuffer buffer = _run.Store.Allocate(1);
        await _run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false);
        int offset = _run.BlockSize == Superblock.MinBlockSize ? 0 : Superblock.VolumeOffset;
        _run.Superblock.WriteTo(buffer.GetSpan()[offset..]);
        await _run.Store.WriteAsync(block, buffer.Segment).ConfigureAwait(false);
    }

    /// <summary>Takes a cluster that nobody uses; only once the inode pass has seen every owner.</summary>
    /// <param name="near">A block that it should lie behind.</param>
    /// <returns>Its first block, or null if there is none.</returns>
    public ulong? TakeCluster(ulong near)
    {
        ulong units = _isFull ? 0 : _run.Used.Length;
        ulong start = near == 0 ? _nextUnit : Math.Min(_run.UnitOf(near), units - 1);
        for (ulong i = 0; i < units; i++)
        {
            ulong unit = (start + i) % units;
            ulong block = (unit << _run.Geometry.LogClusterRatio) + _run.Geometry.FirstDataBlock.Value;
            if (!_run.Used.Contains(unit) && _run.Contains(block, (ulong)_run.Geometry.ClusterRatio))
            {
                _run.Used.Add(unit, 1);
                _nextUnit = unit;
                return block;
            }
        }

        _isFull = true;
        return null;
    }

    /// <summary>Removes an inode: its blocks and attributes are free once the bitmaps are made anew.</summary>
    public async ValueTask RemoveInodeAsync(uint number, InodeRecord record)
    {
        record.LinkCount = 0;
        record.Size = 0;
        record.Flags &= ~(InodeFlags.Extents | InodeFlags.InlineContents | InodeFlags.Index | InodeFlags.HugeFile);
        record.BlockField.Clear();
        record.AttributeBlock = default;
        record.TrySetAllocatedBytes(0, _run.BlockSize, hasHugeFile: true);
        record.DeletionTime = (uint)now.Seconds;
        await WriteInodeAsync(number, record).ConfigureAwait(false);
    }
}
