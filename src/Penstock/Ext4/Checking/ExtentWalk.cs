using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Walks the extent tree of an inode, judges its nodes, and adds up what they map. Used by one activity.</summary>
internal sealed class ExtentWalk(CheckRun run, ContentTally tally) : IDisposable
{
    /// <summary>Deeper than any kernel makes one; e2fsck reads a little deeper than five.</summary>
    private const int MaxLevels = 12;

    private readonly AlignedBuffer?[] _levels = new AlignedBuffer?[MaxLevels];
    private readonly byte[] _root = new byte[InodeRecord.BlockFieldSize];
    private uint _inode;
    private uint _seed;
    private bool _isDirectory;
    private ulong _next;

    /// <summary>What the last walk met.</summary>
    public MapFaults Faults { get; } = new(run, tally);

    /// <summary>Whether not even the root is one.</summary>
    public bool IsRootDamaged { get; private set; }

    public void Dispose()
    {
        foreach (AlignedBuffer? level in _levels)
        {
            ((IDisposable?)level)?.Dispose();
        }
    }

    /// <summary>Whether a node's header can be one: what decides whether an inode without the extents flag was meant to have it.</summary>
    public static bool IsHeader(ReadOnlySpan<byte> node)
    {
        ExtentHeader header = ExtentHeader.Read(node);
        int room = (node.Length - ExtentHeader.Size) / ExtentLeaf.Size;

        // A block has room for a tail of four bytes behind its entries; it may leave out one or two of them.
        return ExtentHeader.ReadMagic(node) == ExtentHeader.Magic && header.Entries <= header.Capacity
            && header.Capacity <= room && header.Capacity >= room - 2;
    }

    public async ValueTask RunAsync(InodeRecord record, uint inode)
    {
        (_inode, _isDirectory, _next) = (inode, record.IsDirectory, 0);
        IsRootDamaged = false;
        Faults.Clear();
        _seed = run.Checksum.IsUsed ? run.Checksum.SeedOf(new InodeNumber(inode), record.Generation) : 0;
        record.BlockField.CopyTo(_root);
        if (!IsHeader(_root))
        {
            IsRootDamaged = true;
            Faults.Report("extent header", $"inode {_inode}", "the root in i_block is damaged");
            return;
        }

        ExtentHeader header = ExtentHeader.Read(_root);
        if (header.IsLeaf)
        {
            WalkLeaf(_root, 0, ulong.MaxValue);
            return;
        }

        if (header.Depth >= MaxLevels)
        {
            IsRootDamaged = true;
            Faults.Report("extent header", $"inode {_inode}", $"eh_depth is {header.Depth}");
            return;
        }

        if (header.Depth > ExtentHeader.MaxDepth)
        {
            run.Log.Note("extent header", $"inode {_inode}", $"the tree could be shallower than {header.Depth} levels");
        }

        await WalkIndexAsync(_root, header, header.Depth, 0).ConfigureAwait(false);
    }

    private async ValueTask WalkIndexAsync(ReadOnlyMemory<byte> node, ExtentHeader header, int depth, int level)
    {
        for (int i = 0; i < header.Entries; i++)
        {
            (uint first, ulong child, ulong end) = ReadIndex(node.Span, header, i);
            bool isInOrder = i == 0 || first > ReadIndex(node.Span, header, i - 1).First;
            if (!run.Contains(child) || !isInOrder || run.Metadata.Contains(child))
            {
                Faults.Report("extent index", $"inode {_inode}", $"it leads to block {child} from file block {first}");
                continue;
            }

            if (!tally.AddMapBlock(child))
            {
                continue;
            }

            AlignedBuffer buffer = _levels[level] ??= run.Store.Allocate(1);
            if (!await run.Store.ReadAsync(child, 1, buffer.Segment).ConfigureAwait(false))
            {
                Faults.Report("extent block", $"block {child}, inode {_inode}", "it cannot be read");
                continue;
            }

            if (Judge(buffer.GetSpan(), child, first))
            {
                // How deep a node lies follows from the root; what it says itself nobody looks at.
                ExtentHeader below = ExtentHeader.Read(buffer.GetSpan());
                if (depth == 1)
                {
                    WalkLeaf(buffer.GetSpan(), first, end);
                }
                else
                {
                    await WalkIndexAsync(buffer.Memory, below, depth - 1, level + 1).ConfigureAwait(false);
                }
            }
        }
    }

    private bool Judge(ReadOnlySpan<byte> block, ulong number, uint first)
    {
        if (!IsHeader(block))
        {
            Faults.Report("extent block", $"block {number}, inode {_inode}", "its header is damaged");
            return false;
        }

        if (run.Checksum.IsUsed && ExtentTail.Read(block) != ExtentTail.Compute(block, _seed))
        {
            Faults.Report("extent block", $"block {number}, inode {_inode}", "et_checksum does not match");
        }

        if (ExtentHeader.Read(block).Entries == 0)
        {
            Faults.Report("extent block", $"block {number}, inode {_inode}", "it has no entries");
            return false;
        }

        uint found = U32(block, ExtentHeader.Size);
        if (found != first)
        {
            Faults.Report("extent index", $"inode {_inode}", $"it says file block {first}, block {number} begins with {found}");
        }

        return true;
    }

    private void WalkLeaf(ReadOnlySpan<byte> node, ulong first, ulong end)
    {
        int entries = ExtentHeader.Read(node).Entries;
        for (int i = 0; i < entries; i++)
        {
            ExtentLeaf leaf = ExtentLeaf.Read(node, i);
            if (FindFault(leaf, first, end) is { } fault)
            {
                Faults.Report("extent", $"inode {_inode}, file block {leaf.First}", fault);
                continue;
            }

            _next = leaf.End;
            if (_isDirectory && leaf.IsUnwritten)
            {
                Faults.Report("extent", $"inode {_inode}, file block {leaf.First}", "blocks of a directory are marked unwritten");
                leaf = run.Repair is null ? leaf : leaf with { IsUnwritten = false };
            }

            tally.Add(leaf.First, leaf.Start.Value, leaf.Length, leaf.IsUnwritten);
        }
    }

    private string? FindFault(ExtentLeaf leaf, ulong first, ulong end) =>
        leaf.Length == 0 ? "ee_len is 0"
        : leaf.Start.Value < run.Geometry.FirstDataBlock.Value || leaf.Start.Value == 0 || !run.Contains(leaf.Start.Value, leaf.Length)
            ? $"its {leaf.Length} blocks from {leaf.Start.Value} on are not all on the volume"
        : leaf.First < _next || leaf.First < first || leaf.End > Math.Max(end, first) ? "it is out of order"
        : leaf.End > 1UL << 32 ? "it reaches past the last file block"
        : null;

    private static (uint First, ulong Child, ulong End) ReadIndex(ReadOnlySpan<byte> node, ExtentHeader header, int index)
    {
        ReadOnlySpan<byte> raw = node[(ExtentHeader.Size + (index * ExtentLeaf.Size))..];
        ulong end = index + 1 < header.Entries ? U32(raw, ExtentLeaf.Size) : ulong.MaxValue;
        return (U32(raw, 0), U32(raw, 4) | ((ulong)U16(raw, 8) << 32), end);
    }
}
