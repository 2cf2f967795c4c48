using Penstock.Ext4.Format;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>What a block of a hashed directory is.</summary>
internal enum BlockRole : byte
{
    Missing,
    Root,
    Node,
    Leaf,
}

/// <summary>
/// Judges the index of hashed directories: what the blocks say while they come by, and how that fits together at the end. Used by one activity.
/// </summary>
internal sealed class HashTreeCheck(CheckRun run)
{
    private const uint NoParent = uint.MaxValue;
    private const uint LargestHash = uint.MaxValue - 1;
    private const int MaxDepth = 4;

    private Facts[] _blocks = [];
    private int _count;
    private DirectoryRecord _directory = null!;
    private uint _seed;
    private int _levels;
    private DirectoryHashVersion _version;
    private bool _canHash;
    private string? _fault;

    /// <summary>A bound of null is the parent's own, which may be known only later.</summary>
    private record struct Facts(BlockRole Role, uint MinHash, uint MaxHash, uint? LowBound, uint? HighBound, uint Parent);

    public void Start(DirectoryRecord directory, uint seed)
    {
        (_directory, _seed, _levels, _fault, _canHash) = (directory, seed, 0, null, false);
        _count = directory.Places!.Length;
        if (_blocks.Length < _count)
        {
            _blocks = new Facts[Math.Max(_count, 64)];
        }

        _blocks.AsSpan(0, _count).Fill(new Facts(BlockRole.Missing, LargestHash, 0, null, null, NoParent));
    }

    public BlockRole RoleOf(ReadOnlySpan<byte> block, uint index)
    {
        if (index == 0)
        {
            return BlockRole.Root;
        }

        DirectoryEntry head = DirectoryEntry.Read(block, 0);
        int limit = DxNode.ReadLimit(block, DxNode.EntriesOffset);
        bool isNode = head.Inode == 0 && head.RecordLength == block.Length && head.NameLength == 0
            && (limit == DxNode.LimitOf(block.Length, DxNode.EntriesOffset, false)
                || limit == DxNode.LimitOf(block.Length, DxNode.EntriesOffset, true));
        return isNode ? BlockRole.Node : BlockRole.Leaf;
    }

    /// <summary>Takes a block.</summary>
    /// <param name="block">The whole block.</param>
    /// <param name="index">Its place in the directory.</param>
    /// <param name="role">From <see cref="RoleOf"/>.</param>
    /// <param name="end">How far entries reach; 0 if they cannot be walked.</param>
    public void Add(ReadOnlySpan<byte> block, uint index, BlockRole role, int end)
    {
        if (index >= _count)
        {
            return;
        }

        _blocks[index].Role = role;
        switch (role)
        {
            case BlockRole.Root:
                AddRoot(block);
                break;
            case BlockRole.Node:
                AddEntries(block, DxNode.EntriesOffset, index);
                break;
            case BlockRole.Leaf when _canHash && end > 0:
                AddNames(block[..end], index);
                break;
            default:
                break;
        }
    }

    /// <summary>What is wrong with the index, or null.</summary>
    public string? Finish()
    {
        for (uint i = 0; i < _count && _fault is null; i++)
        {
            JudgeBlock(i);
        }

        return _fault;
    }

    private void JudgeBlock(uint index)
    {
        Facts facts = _blocks[index];
        if (facts.Role == BlockRole.Root)
        {
            return;
        }

        if (facts.Role == BlockRole.Missing)
        {
            // A hole is told elsewhere.
            return;
        }

        if (facts.Parent == NoParent)
        {
            Fail($"nothing leads to block {index}");
            return;
        }

        int depth = 0;
        uint? low = facts.LowBound;
        uint? high = facts.HighBound;
        for (uint at = index; at != 0 && depth <= MaxDepth; depth++)
        {
            at = _blocks[at].Parent;
            if (at == NoParent)
            {
                break;
            }

            low ??= _blocks[at].LowBound;
            high ??= _blocks[at].HighBound;
        }

        bool isDeepEnough = facts.Role == BlockRole.Leaf ? depth == _levels + 1 : depth <= _levels;
        if (!isDeepEnough)
        {
            Fail($"block {index} is at depth {depth} of {_levels + 1}");
        }
        else if (facts.Role == BlockRole.Leaf && facts.MinHash <= facts.MaxHash
            && (facts.MinHash < (low ?? 0) || facts.MaxHash > (high ?? LargestHash)))
        {
            Fail($"block {index} has hashes 0x{facts.MinHash:x8} to 0x{facts.MaxHash:x8}, expected 0x{low ?? 0:x8} to 0x{high ?? LargestHash:x8}");
        }
    }

    private void AddRoot(ReadOnlySpan<byte> block)
    {
        int most = DxRoot.MaxIndirectLevels(run.Has(IncompatFeatures.LargeDir));
        byte version = block[DxRoot.InfoOffset + 4];
        _levels = block[DxRoot.InfoOffset + 6];
        bool isSound = U16(block, 4) == 12 && U32(block, DxRoot.InfoOffset) == 0 && block[DxRoot.InfoOffset + 5] == DxRoot.InfoLength
            && (block[DxRoot.InfoOffset + 7] & 1) == 0 && (version <= 2 || version == (byte)DirectoryHashVersion.SipHash) && _levels <= most;
        if (!isSound)
        {
            Fail("the root is damaged");
            return;
        }

        _version = DirectoryHash.Resolve((DirectoryHashVersion)version, run.Superblock.Flags);
        _canHash = version <= 2 && (_directory.Flags & InodeFlags.CaseFold) == 0;
        AddEntries(block, DxRoot.EntriesOffset, 0);
    }

    private void AddEntries(ReadOnlySpan<byte> block, int offset, uint index)
    {
        int limit = DxNode.ReadLimit(block, offset);
        int count = DxNode.ReadCount(block, offset);
        int expected = DxNode.LimitOf(block.Length, offset, run.Checksum.IsUsed);
        if (limit != expected || count > limit || count < 1)
        {
            Fail($"block {index} has {count} entries of {limit}");
            return;
        }

        if (run.Checksum.IsUsed && DxNode.ReadChecksum(block, offset) != DxNode.ComputeChecksum(block, offset, _seed))
        {
            Fail($"dt_checksum of block {index} does not match");
        }

        uint last = 0;
        for (int i = 0; i < count; i++)
        {
            DxEntry entry = DxNode.Read(block, offset, i);
            if (i > 0 && entry.Hash <= last && !(i == 1 && entry.Hash == 0 && last == 0))
            {
                Fail($"block {index} has its hashes out of order");
            }

            last = entry.Hash;
            if (entry.Block >= _count || entry.Block == 0 || _blocks[entry.Block].Parent != NoParent)
            {
                Fail($"block {index} leads to block {entry.Block}");
                continue;
            }

            ref Facts child = ref _blocks[entry.Block];
            child.Parent = index;
            child.LowBound = i == 0 ? null : entry.Hash;
            child.HighBound = i + 1 < count ? DxNode.Read(block, offset, i + 1).Hash : null;
        }
    }

    private void AddNames(ReadOnlySpan<byte> block, uint index)
    {
        ref Facts facts = ref _blocks[index];
        for (int offset = 0; offset < block.Length;)
        {
            DirectoryEntry entry = DirectoryEntry.Read(block, offset);
            if (entry.IsUsed)
            {
                uint hash = DirectoryHash.Compute(entry.NameIn(block), _version, run.Superblock.HashSeed).Major;
                facts.MinHash = Math.Min(facts.MinHash, hash);
                facts.MaxHash = Math.Max(facts.MaxHash, hash);
            }

            offset = entry.End;
        }
    }

    private void Fail(string fault) => _fault ??= fault;
}
