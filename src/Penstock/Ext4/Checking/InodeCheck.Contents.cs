using Penstock.Ext4.Format;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Contents: where they are, how large, and what i_blocks should say.</summary>
internal sealed partial class InodeCheck
{
    private const int LogSector = 9;
    private const long LargestSmallFile = 0x7FFFFFFF;

    private bool IsInline => record.Is(InodeFlags.InlineContents) && run.Has(IncompatFeatures.InlineData);

    private bool IsFastLink => record.IsSymbolicLink && record.Size < InodeRecord.BlockFieldSize;

    /// <summary>Attributes, block map, size and block count of a file, a directory or a long symbolic link.</summary>
    private async ValueTask CheckContentsAsync()
    {
        if (record.IsDirectory)
        {
            places.Clear();
            tally.Places = places;
        }

        await CheckAttributesAsync().ConfigureAwait(false);
        if (IsInline)
        {
            CheckInline();
        }
        else if (!IsFastLink)
        {
            await CheckMapAsync().ConfigureAwait(false);
            CheckSize();
        }

        CheckBlockCount();
    }

    private async ValueTask CheckAttributesAsync()
    {
        await attributes.CheckInodeAsync(record, number).ConfigureAwait(false);
        bool hasContext = attributes.HasEncryptionContext;
        if (record.AttributeBlock.Value != 0 && await attributes.CheckBlockAsync(record, number).ConfigureAwait(false))
        {
            tally.Clusters++;
        }

        tally.Clusters += attributes.ValueClusters;
        if (record.Is(InodeFlags.Encrypted) && !record.Is(InodeFlags.ExtendedAttributeInode) && !hasContext && !attributes.HasEncryptionContext)
        {
            Report("the encrypt flag is set, and there is no encryption context");
        }
    }

    private void CheckInline()
    {
        int rest = attributes.InlineLength;
        if (rest < 0)
        {
            Report("the inline_data flag is set, and there is no attribute system.data");
            return;
        }

        ulong most = (ulong)InodeRecord.BlockFieldSize + (uint)rest;
        if (record.IsDirectory)
        {
            Require(record.Size == most, $"i_size is {record.Size}, its inline contents have {most} bytes");
        }
        else
        {
            Require(record.Size <= most, $"i_size is {record.Size}, its inline contents have {most} bytes");
        }

        Require(!record.Is(InodeFlags.Extents), "it has both inline contents and extents");
    }

    private async ValueTask CheckMapAsync()
    {
        bool hasExtents = record.Is(InodeFlags.Extents) && run.Has(IncompatFeatures.Extents);
        if (!hasExtents && run.Has(IncompatFeatures.Extents) && ExtentWalk.IsHeader(record.BlockField))
        {
            Report("it has an extent tree, and the extents flag is not set");
            hasExtents = true;
        }

        if (hasExtents)
        {
            await extents.RunAsync(record, number).ConfigureAwait(false);
        }
        else
        {
            await indirect.RunAsync(record, number).ConfigureAwait(false);
        }

        Require(!tally.IsMisaligned, "blocks share a cluster against the rules of bigalloc");
        Require(!tally.HitsMetadata, "blocks lie on the volume's own structures");
    }

    private void CheckSize()
    {
        ulong size = record.Size;
        if (record.IsDirectory)
        {
            CheckDirectorySize(size);
            return;
        }

        if (record.IsSymbolicLink)
        {
            return;
        }

        ulong blockSize = (ulong)run.BlockSize;
        bool hasExtents = record.Is(InodeFlags.Extents) && run.Has(IncompatFeatures.Extents);
        ulong perBlock = blockSize / 4;
        ulong most = hasExtents
            ? (1UL << 32) * blockSize - 1
            : (12 + perBlock + (perBlock * perBlock) + (perBlock * perBlock * perBlock)) * blockSize;
        bool reachesLast = tally.LastWritten < 0 || record.Is(InodeFlags.Verity) || size >= (ulong)tally.LastWritten * blockSize;
        Require(reachesLast, $"i_size is {size}, its last written block is {tally.LastWritten}");
        Require(size <= most, $"i_size is {size}, more than its block map can hold");
        LargeFiles += size > LargestSmallFile ? 1 : 0;
    }

    private void CheckDirectorySize(ulong size)
    {
        ulong blockSize = (ulong)run.BlockSize;
        if (size % blockSize != 0)
        {
            Report($"i_size of a directory is {size}");
            return;
        }

        long blocks = (long)(size / blockSize);
        long needed = tally.LastBlock + 1;
        if (blocks > needed || needed - blocks > run.Superblock.PreallocatedDirectoryBlocks)
        {
            Report($"i_size is {size}, expected {needed * run.BlockSize}");
        }
        else if (blocks == 0)
        {
            Report("it is a directory without a block");
        }

        long most = run.Has(IncompatFeatures.LargeDir) ? uint.MaxValue : (1L << 31) / run.BlockSize;
        Require(tally.LastBlock < most, $"block {tally.LastBlock} makes the directory too large");
    }

    private void CheckBlockCount()
    {
        ulong counted = tally.Clusters * (ulong)run.Geometry.ClusterRatio;
        ReadOnlySpan<byte> raw = record.Bytes;
        bool hasHuge = run.Has(ReadOnlyCompatFeatures.HugeFile);
        ulong stored = U32(raw, 0x1C) | (hasHuge ? (ulong)U16(raw, 0x74) << 32 : 0);
        ulong expected = hasHuge && record.Is(InodeFlags.HugeFile) ? counted : counted << (run.Geometry.LogBlockSize - LogSector);
        Require(stored == expected, $"i_blocks is {stored}, expected {expected}");
        bool isCounted = (number == RootInode || number >= run.Geometry.FirstInode) && !IsSpecial(number)
            && !record.Is(InodeFlags.ExtendedAttributeInode);
        if (isCounted)
        {
            run.Quotas?.Add(record, counted * (ulong)run.BlockSize);
        }
    }

    private async ValueTask AddDirectoryAsync()
    {
        (byte[] First, byte[] Second)? inline = null;
        if (IsInline)
        {
            int rest = Math.Max(0, attributes.InlineLength);
            byte[] first = record.BlockField.ToArray();
            byte[] second = rest > 0 ? record.Bytes.Slice(attributes.InlineOffset, rest).ToArray() : [];
            inline = (first, second);
        }

        run.Directories.Add(new DirectoryRecord
        {
            Inode = number,
            Generation = record.Generation,
            Flags = record.Flags,
            SizeInBlocks = (uint)Math.Min(record.Size / (ulong)run.BlockSize, uint.MaxValue),
            Places = inline is null ? [.. places] : null,
            Inline = inline,
        });
        await ValueTask.CompletedTask.ConfigureAwait(false);
    }

    private async ValueTask CheckDeviceAsync()
    {
        Require(record.Size == 0, $"it is a special file, and i_size is {record.Size}");
        ReadOnlySpan<byte> map = record.BlockField;
        if (record.Is(InodeFlags.Extents) || record.Is(InodeFlags.Index) || map[16..].ContainsAnyExcept((byte)0))
        {
            Report("it is a special file with a block map");
            isBad = true;
        }

        await CheckAttributesAsync().ConfigureAwait(false);
        CheckBlockCount();
    }

    private async ValueTask CheckSymbolicLinkAsync()
    {
        if (IsInline)
        {
            await CheckAttributesAsync().ConfigureAwait(false);
            ulong length = (ulong)InodeRecord.BlockFieldSize + (uint)Math.Max(0, attributes.InlineLength);
            bool isRight = record.Size > 0 && (record.Size == length || record.Size < InodeRecord.BlockFieldSize) && attributes.InlineLength >= 0;
            Refuse(!isRight, $"it is a symbolic link, i_size is {record.Size}, and its inline contents have {length} bytes");
            CheckBlockCount();
            return;
        }

        if (IsFastLink)
        {
            Require(!record.Is(InodeFlags.Extents), "it is a short symbolic link, and the extents flag is set");
            int end = record.BlockField.IndexOf((byte)0);
            bool isTerminated = record.Is(InodeFlags.Encrypted) || (ulong)end == record.Size;
            bool mayHaveBlocks = record.AttributeBlock.Value != 0 || U32(record.Bytes, 0x1C) == 0;
            Require(mayHaveBlocks, "it is a short symbolic link without an attribute block, and i_blocks is not 0");
            Refuse(record.Size == 0 || !isTerminated, $"it is a symbolic link, i_size is {record.Size}, and its target has {end} bytes");
            await CheckContentsAsync().ConfigureAwait(false);
            return;
        }

        places.Clear();
        tally.Places = record.Size < (ulong)run.BlockSize ? places : null;
        await CheckContentsAsync().ConfigureAwait(false);
        bool hasOneBlock = tally.Blocks == 1 && places.Count == 1 && places[0].Index == 0 && record.Size < (ulong)run.BlockSize;
        Refuse(!hasOneBlock || !await IsTargetWholeAsync().ConfigureAwait(false), $"it is a symbolic link with a damaged target, i_size {record.Size}");
    }

    private async ValueTask<bool> IsTargetWholeAsync()
    {
        if (record.Is(InodeFlags.Encrypted))
        {
            return true;
        }

        bool isRead = await run.Store.ReadAsync(places[0].Volume, 1, block.Segment).ConfigureAwait(false);
        return isRead && (ulong)block.GetSpan().IndexOf((byte)0) == record.Size;
    }

    private void Refuse(bool isWrong, string found)
    {
        if (isWrong)
        {
            Report(found);
            isBad = true;
        }
    }
}
