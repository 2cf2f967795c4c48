using Penstock.Ext4.Format;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Judges the extended attributes of an inode: those in it, and those in its attribute block. Used by one activity.</summary>
internal sealed class AttributeCheck(CheckRun run) : IDisposable
{
    private readonly AlignedBuffer _block = run.Store.Allocate(1);
    private readonly InodePeek _peek = new(run);
    private readonly ByteRegions _regions = new();
    private readonly List<(uint Inode, uint Size, uint Hash, byte[] Name)> _values = [];
    private uint _inode;

    /// <summary>The length of the inline contents' second part and where they lie in the inode's bytes; -1 if there is none.</summary>
    public int InlineLength { get; private set; }

    public int InlineOffset { get; private set; }

    /// <summary>Clusters of values in inodes of their own, which the inode that has the attribute counts as its own.</summary>
    public ulong ValueClusters { get; private set; }

    /// <summary>Whether a repair has changed the inode.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Whether there is an encryption context.</summary>
    public bool HasEncryptionContext { get; private set; }

    public void Dispose()
    {
        ((IDisposable)_block).Dispose();
        _peek.Dispose();
    }

    /// <summary>Judges the inode's own area.</summary>
    public async ValueTask CheckInodeAsync(InodeRecord record, uint inode)
    {
        (_inode, InlineLength, InlineOffset, HasEncryptionContext, ValueClusters, HasChanged) = (inode, -1, 0, false, 0, false);
        int start = InodeRecord.MinSize + record.ExtraSize;
        if (record.InodeSize <= InodeRecord.MinSize || start + 8 > record.InodeSize || U32(record.Bytes, start) != AttributeArea.Magic)
        {
            return;
        }

        _values.Clear();
        if (FindFaultInInode(record.Bytes[(start + 4)..], start + 4) is { } fault)
        {
            if (run.Mends("attribute", $"inode {inode}", fault))
            {
                DropInode(record, start);
            }

            return;
        }

        if (!await CheckValuesAsync($"inode {inode}").ConfigureAwait(false))
        {
            DropInode(record, start);
        }
    }

    /// <summary>Takes the attributes out of an inode.</summary>
    private void DropInode(InodeRecord record, int start)
    {
        record.Bytes[start..].Clear();
        (InlineLength, HasEncryptionContext, ValueClusters, HasChanged) = (-1, false, 0, true);
    }

    private bool DropBlock(InodeRecord record)
    {
        record.AttributeBlock = default;
        HasChanged = true;
        return false;
    }

    /// <summary>Judges the attribute block; true if it counts as a block of this inode.</summary>
    public async ValueTask<bool> CheckBlockAsync(InodeRecord record, uint inode)
    {
        ulong block = record.AttributeBlock.Value;
        _inode = inode;
        if (!run.Has(CompatFeatures.ExtAttr) || !run.Contains(block) || block == run.Geometry.FirstDataBlock.Value)
        {
            return run.Mends("inode", $"inode {inode}", $"i_file_acl is {block}") && DropBlock(record);
        }

        AttributeReferences.BlockCount count = run.Attributes.AddBlock(block, out bool isFirst);
        if (!isFirst)
        {
            if (count.IsBad && run.Repair is not null)
            {
                return DropBlock(record);
            }

            ValueClusters += count.ValueClusters;
            return !count.IsBad;
        }

        run.Claim(block, 1);
        bool isRead = await run.Store.ReadAsync(block, 1, _block.Segment).ConfigureAwait(false);
        _values.Clear();
        string? fault = isRead ? FindFaultInBlock(_block.GetSpan(), block) : "it cannot be read";
        count.Stored = U32(_block.GetSpan(), 4);
        if (fault is not null)
        {
            count.IsBad = true;
            return !run.Mends("attribute block", $"block {block}, inode {inode}", fault) || DropBlock(record);
        }

        ulong before = ValueClusters;
        if (!await CheckValuesAsync($"block {block}").ConfigureAwait(false))
        {
            count.IsBad = true;
            ValueClusters = before;
            return DropBlock(record);
        }

        if (run.Repair is not null && !IsChecksumRight(_block.GetSpan(), block))
        {
            run.Mends("attribute block", $"block {block}, inode {inode}", "h_checksum does not match");
            await WriteBlockAsync(run, _block, block, count.Stored).ConfigureAwait(false);
        }

        count.ValueClusters = ValueClusters - before;
        return true;
    }

    /// <summary>Writes an attribute block with a number of references, and its checksum.</summary>
    public static async ValueTask WriteBlockAsync(CheckRun run, AlignedBuffer block, ulong number, uint references)
    {
        U32(block.GetSpan(), 4, references); // h_refcount
        if (run.Checksum.IsUsed)
        {
            U32(block.GetSpan(), 16, AttributeBlockHeader.ComputeChecksum(block.GetSpan(), new VolumeBlock(number), run.Checksum.Seed)); // h_checksum
        }

        await run.Repair!.WriteAsync(number, block.Segment).ConfigureAwait(false);
    }

    private bool IsChecksumRight(ReadOnlySpan<byte> block, ulong number) => !run.Checksum.IsUsed
        || U32(block, 16) == AttributeBlockHeader.ComputeChecksum(block, new VolumeBlock(number), run.Checksum.Seed);

    private string? FindFaultInInode(ReadOnlySpan<byte> area, int origin)
    {
        _regions.Start(area.Length);
        int offset = 0;
        while (area.Length - offset >= 4 && U32(area, offset) != 0)
        {
            int rest = area.Length - offset;
            if (rest < AttributeEntry.HeaderSize || area[offset] > rest - AttributeEntry.HeaderSize)
            {
                return $"e_name_len is {area[offset]} at offset {offset}";
            }

            AttributeEntry entry = AttributeEntry.Read(area, offset);
            if (!_regions.Add(offset, AttributeEntry.LengthFor(entry.NameLength)) || FindBadEntry(area, entry, isInInode: true) is not null)
            {
                return FindBadEntry(area, entry, isInInode: true) ?? $"the entry at offset {offset} lies on another";
            }

            NoteSpecial(area, entry, origin);
            offset += AttributeEntry.LengthFor(entry.NameLength);
        }

        return offset <= area.Length - 4 && !_regions.Add(offset, 4) ? "the end of the entries lies on a value" : null;
    }

    private string? FindFaultInBlock(ReadOnlySpan<byte> block, ulong number)
    {
        if (U32(block, 0) != AttributeArea.Magic || U32(block, 8) != 1)
        {
            return $"h_magic is 0x{U32(block, 0):x8}, h_blocks {U32(block, 8)}";
        }

        if (run.Repair is null && !IsChecksumRight(block, number))
        {
            return "h_checksum does not match";
        }

        _regions.Start(block.Length);
        _regions.Add(0, AttributeBlockHeader.Size);
        int offset = AttributeBlockHeader.Size;
        while (block.Length - offset >= 4 && U32(block, offset) != 0)
        {
            int rest = block.Length - offset;
            if (rest < AttributeEntry.HeaderSize || AttributeEntry.LengthFor(block[offset]) > rest)
            {
                return $"e_name_len is {block[offset]} at offset {offset}";
            }

            AttributeEntry entry = AttributeEntry.Read(block, offset);
            if (!_regions.Add(offset, entry.Length) || FindBadEntry(block, entry, isInInode: false) is not null)
            {
                return FindBadEntry(block, entry, isInInode: false) ?? $"the entry at offset {offset} lies on another";
            }

            NoteSpecial(block, entry, -1);
            offset += entry.Length;
        }

        return !_regions.Add(offset, 4) ? "the end of the entries lies on a value" : null;
    }

    private string? FindBadEntry(ReadOnlySpan<byte> area, in AttributeEntry entry, bool isInInode)
    {
        if (entry.Namespace == AttributeNamespace.None)
        {
            return $"e_name_index is 0 at offset {entry.Offset}";
        }

        if (entry.HasValueInode)
        {
            _values.Add((entry.ValueInode, entry.ValueSize, entry.Hash, entry.NameIn(area).ToArray()));
            return null;
        }

        if (entry.ValueSize > area.Length || entry.ValueOffset > area.Length - (int)entry.ValueSize)
        {
            return $"the value of {entry.ValueSize} bytes at {entry.ValueOffset} does not lie in the area";
        }

        if (entry.ValueSize > 0 && !_regions.Add(entry.ValueOffset, AttributeEntry.Align((int)entry.ValueSize)))
        {
            return $"the value at {entry.ValueOffset} lies on something else";
        }

        ReadOnlySpan<byte> value = area.Slice(entry.ValueSize > 0 ? entry.ValueOffset : 0, (int)entry.ValueSize);
        bool isChecked = !isInInode || entry.Hash != 0;
        ReadOnlySpan<byte> name = entry.NameIn(area);
        return isChecked && entry.Hash != AttributeEntry.ComputeHash(name, value) && entry.Hash != AttributeEntry.ComputeSignedHash(name, value)
            ? $"e_hash is 0x{entry.Hash:x8} at offset {entry.Offset}" : null;
    }

    private void NoteSpecial(ReadOnlySpan<byte> area, in AttributeEntry entry, int origin)
    {
        if (entry.Namespace == AttributeNamespace.System && entry.NameIn(area).SequenceEqual("data"u8) && origin >= 0 && !entry.HasValueInode)
        {
            (InlineLength, InlineOffset) = ((int)entry.ValueSize, origin + entry.ValueOffset);
        }

        HasEncryptionContext |= entry.Namespace == AttributeNamespace.Encryption && entry.NameIn(area).SequenceEqual("c"u8);
    }

    /// <summary>Judges the values in inodes of their own; false if a repair has to give up the attributes for one of them.</summary>
    private async ValueTask<bool> CheckValuesAsync(string place)
    {
        bool isGivenUp = false;
        ulong clusterSize = (ulong)run.BlockSize * (uint)run.Geometry.ClusterRatio;
        foreach ((uint number, uint size, uint hash, byte[] name) in _values)
        {
            bool isPossible = number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount && run.Has(IncompatFeatures.EaInode);
            if (!isPossible || await _peek.ReadAsync(number).ConfigureAwait(false) is not { } inode)
            {
                isGivenUp |= run.Mends("attribute", place, $"e_value_inum is {number}");
                continue;
            }

            bool isValue = inode.Is(InodeFlags.ExtendedAttributeInode) && inode.LinkCount > 0 && inode.Size == size;
            uint valueHash = AttributeValueInode.ReadHash(inode);
            bool isHashRight = hash == AttributeEntry.ComputeHash(name, valueHash) || hash == AttributeEntry.ComputeSignedHash(name, valueHash);
            bool isOldStyle = valueHash != hash && (uint)inode.Modified.Seconds == _inode;
            if (!isValue || (!isHashRight && !isOldStyle))
            {
                isGivenUp |= run.Mends("attribute", place, $"its value inode {number} does not match it");
                continue;
            }

            run.Attributes.AddValue(number);
            ValueClusters += isHashRight ? (size + clusterSize - 1) / clusterSize : 0;
        }

        return !isGivenUp;
    }
}
