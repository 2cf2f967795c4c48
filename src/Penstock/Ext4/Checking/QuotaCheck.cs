using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>The quota files: what each id uses, against what was counted.</summary>
internal sealed class QuotaCheck(CheckRun run)
{
    private const int MostBlocks = 1 << 20;
    private const int EntriesHeader = 16;

    private readonly HashSet<uint> _seen = [];
    private readonly HashSet<(uint Block, int Level)> _walked = [];
    private readonly Dictionary<uint, QuotaEntry> _before = [];
    private bool _isWrong;
    private List<DirectoryPlace> _places = [];
    private IReadOnlyDictionary<uint, (ulong Inodes, ulong Bytes)> _counted = null!;
    private uint _inode;
    private ulong _size;
    private uint _blocks;
    private int _wrong;

    /// <summary>Before the inode pass: starts the count if there are quotas, and judges the inode numbers.</summary>
    public static async ValueTask StartAsync(CheckRun run)
    {
        if (!run.Has(ReadOnlyCompatFeatures.Quota))
        {
            return;
        }

        run.Quotas = new QuotaCount();
        Superblock s = run.Superblock;
        foreach ((uint number, uint reserved) in new[] { (s.UserQuotaInode, 3u), (s.GroupQuotaInode, 4u), (s.ProjectQuotaInode, 0u) })
        {
            if (number != 0 && !IsPossible(run, number, reserved) && run.Mends("superblock", "offset 1024", $"a quota file is inode {number}"))
            {
                s.UserQuotaInode = s.UserQuotaInode == number ? 0 : s.UserQuotaInode;
                s.GroupQuotaInode = s.GroupQuotaInode == number ? 0 : s.GroupQuotaInode;
                s.ProjectQuotaInode = s.ProjectQuotaInode == number ? 0 : s.ProjectQuotaInode;
                await run.Repair!.WriteSuperblockAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>After the inode pass.</summary>
    public async ValueTask RunAsync()
    {
        if (run.Quotas is null)
        {
            return;
        }

        Superblock s = run.Superblock;
        await CheckAsync(QuotaKind.User, s.UserQuotaInode, 3).ConfigureAwait(false);
        await CheckAsync(QuotaKind.Group, s.GroupQuotaInode, 4).ConfigureAwait(false);
        await CheckAsync(QuotaKind.Project, s.ProjectQuotaInode, 0).ConfigureAwait(false);
    }

    private static bool IsPossible(CheckRun run, uint number, uint reserved) =>
        number == reserved || (number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount);

    private async ValueTask CheckAsync(QuotaKind kind, uint number, uint reserved)
    {
        if (number == 0 || !IsPossible(run, number, reserved))
        {
            return;
        }

        using var peek = new InodePeek(run);
        InodeRecord? inode = await peek.ReadAsync(number).ConfigureAwait(false);
        if (inode is null)
        {
            return;
        }

        _seen.Clear();
        _walked.Clear();
        _before.Clear();
        _isWrong = false;
        (_inode, _wrong, _counted) = (number, 0, run.Quotas!.Of(kind));
        _size = inode.Size;
        _places = await new FileBlocks(run, MostBlocks).CollectAsync(inode).ConfigureAwait(false);
        await CheckContentsAsync(kind).ConfigureAwait(false);
        if (_isWrong && run.Repair is { } repair)
        {
            await new QuotaRepair(run, repair).RunAsync(kind, number, inode, _before).ConfigureAwait(false);
        }
    }

    private async ValueTask CheckContentsAsync(QuotaKind kind)
    {
        byte[]? header = await ReadAsync(0).ConfigureAwait(false);
        if (header is null || FindFault(header, kind) is not null)
        {
            Tell($"inode {_inode}", header is null ? "its header cannot be read" : FindFault(header, kind)!);
            return;
        }

        _blocks = U32(header, QuotaFile.BlocksOffset);
        await WalkAsync(QuotaFile.RootBlock, 0).ConfigureAwait(false);
        foreach ((uint id, (ulong inodes, ulong bytes)) in _counted)
        {
            if (!_seen.Contains(id) && (inodes, bytes) != (0, 0) && _wrong++ == 0)
            {
                Tell($"inode {_inode}", $"id {id} uses {inodes} inodes and {bytes} bytes, and has no entry");
            }
        }
    }

    private string? FindFault(ReadOnlySpan<byte> header, QuotaKind kind)
    {
        uint blocks = U32(header, QuotaFile.BlocksOffset);
        (uint freeBlock, uint freeEntry) = (U32(header, QuotaFile.FreeBlockOffset), U32(header, QuotaFile.FreeEntryOffset));
        return U32(header, 0) != QuotaFile.MagicOf(kind) || U32(header, 4) != QuotaFile.Version ? "its header is damaged"
            : _size > 1UL << 31 || blocks > (_size + QuotaFile.BlockSize - 1) / QuotaFile.BlockSize ? $"dqi_blocks is {blocks}, and i_size {_size}"
            : freeBlock >= blocks || freeEntry >= blocks ? $"dqi_free_blk is {freeBlock} and dqi_free_entry {freeEntry}, of {blocks} blocks"
            : null;
    }

    private void Tell(string place, string found)
    {
        _isWrong = true;
        run.Mends("quota file", place, found);
    }

    /// <summary>Each block is looked at once on each level, however many lead to it.</summary>
    private async ValueTask WalkAsync(uint block, int level)
    {
        if (!_walked.Add((block, level)))
        {
            return;
        }

        if (await ReadAsync(block).ConfigureAwait(false) is not { } node)
        {
            Tell($"inode {_inode}, quota block {block}", "it cannot be read");
            return;
        }

        for (int i = 0; i < 256 && _wrong < 1000; i++)
        {
            uint child = U32(node, i * 4);
            if (child == 0)
            {
                continue;
            }

            if (child >= _blocks)
            {
                _wrong++;
                Tell($"inode {_inode}, quota block {block}", $"it leads to block {child}");
            }
            else if (level + 1 < QuotaFile.Depth)
            {
                await WalkAsync(child, level + 1).ConfigureAwait(false);
            }
            else if (_walked.Add((child, QuotaFile.Depth)) && await ReadAsync(child).ConfigureAwait(false) is { } entries)
            {
                Judge(entries);
            }
        }
    }

    private void Judge(ReadOnlySpan<byte> block)
    {
        for (int offset = EntriesHeader; offset + QuotaEntry.Size <= block.Length; offset += QuotaEntry.Size)
        {
            ReadOnlySpan<byte> raw = block.Slice(offset, QuotaEntry.Size);
            if (!raw.ContainsAnyExcept((byte)0))
            {
                continue;
            }

            QuotaEntry entry = QuotaEntry.Read(raw);
            uint id = entry.Id;
            (ulong inodes, ulong bytes) = _counted.GetValueOrDefault(id);
            _seen.Add(id);
            _before[id] = entry;
            if ((entry.Inodes, entry.Bytes) != (inodes, bytes) && _wrong++ == 0)
            {
                Tell(
                    $"inode {_inode}", $"id {id} has {entry.Inodes} inodes and {entry.Bytes} bytes, expected {inodes} and {bytes}");
            }
        }
    }

    /// <summary>A block of 1 KiB of the quota file.</summary>
    private async ValueTask<byte[]?> ReadAsync(uint block)
    {
        ulong offset = (ulong)block * QuotaFile.BlockSize;
        uint index = (uint)(offset / (ulong)run.BlockSize);
        int at = _places.BinarySearch(new DirectoryPlace(0, index), Comparer<DirectoryPlace>.Create((a, b) => a.Index.CompareTo(b.Index)));
        using AlignedBuffer buffer = run.Store.Allocate(1);
        if (at < 0 || !await run.Store.ReadAsync(_places[at].Volume, 1, buffer.Segment).ConfigureAwait(false))
        {
            return null;
        }

        return buffer.GetSpan().Slice((int)(offset % (ulong)run.BlockSize), QuotaFile.BlockSize).ToArray();
    }
}
