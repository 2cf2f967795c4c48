using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
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
            await CheckMapKindAsync().ConfigureAwait(false);
            await CheckSizeAsync().ConfigureAwait(false);
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

        isChanged |= attributes.HasChanged;
        await CheckInlineFeatureAsync().ConfigureAwait(false);
        tally.Clusters += attributes.ValueClusters;
        if (record.Is(InodeFlags.Encrypted) && !hasContext && !attributes.HasEncryptionContext)
        {
            if (Mends("the encrypt flag is set, and there is no encryption context"))
            {
                record.Flags &= ~InodeFlags.Encrypted;
            }
        }
    }

    /// <summary>A repair takes the contents' word for it that the volume has inline contents, and not that of the superblock.</summary>
    private async ValueTask CheckInlineFeatureAsync()
    {
        if (run.Repair is not { } repair || !record.Is(InodeFlags.InlineContents) || run.Has(IncompatFeatures.InlineData)
            || !Mends("the inline_data flag is set on a volume without inline_data"))
        {
            return;
        }

        if (attributes.InlineLength >= 0 && run.Superblock.Revision >= Superblock.DynamicRevision)
        {
            run.Superblock.Features = run.Superblock.Features.With(IncompatFeatures.InlineData);
            await repair.WriteSuperblockAsync().ConfigureAwait(false);
            return;
        }

        record.Flags &= ~InodeFlags.InlineContents;
        isRemoved |= !record.IsDirectory && !record.Is(InodeFlags.Extents) && record.Size <= InodeRecord.BlockFieldSize && record.Size > 0;
    }

    private void CheckInline()
    {
        int rest = attributes.InlineLength;
        if (rest < 0)
        {
            if (Mends("the inline_data flag is set, and there is no attribute system.data"))
            {
                MakeEmpty();
            }

            return;
        }

        ulong most = (ulong)InodeRecord.BlockFieldSize + (uint)rest;
        // The upper half of the size, which such contents never need, is of no interest to e2fsck.
        bool isSizeWrong = record.IsDirectory ? (uint)record.Size != most : (uint)record.Size > most;
        if (isSizeWrong && Mends($"i_size is {record.Size}, its inline contents have {most} bytes"))
        {
            record.Size = most;
        }

        if (record.Is(InodeFlags.Extents) && Mends("it has both inline contents and extents"))
        {
            record.Flags &= ~(ExtentWalk.IsHeader(record.BlockField) ? InodeFlags.InlineContents : InodeFlags.Extents);
        }
    }

    /// <summary>Cuts the file to nothing: its contents are lost.</summary>
    private void MakeEmpty()
    {
        record.Flags &= ~(InodeFlags.InlineContents | InodeFlags.Extents);
        record.Size = 0;
        record.BlockField.Clear();
        if (record.IsDirectory)
        {
            isRemoved = true;
        }
        else if (run.Has(IncompatFeatures.Extents))
        {
            record.Flags |= InodeFlags.Extents;
            new ExtentHeader(0, ExtentHeader.RootCapacity, 0).WriteTo(record.BlockField);
        }
    }

    private async ValueTask CheckMapAsync()
    {
        bool hasExtents = record.Is(InodeFlags.Extents) && run.Has(IncompatFeatures.Extents);
        if (!hasExtents && run.Has(IncompatFeatures.Extents) && ExtentWalk.IsHeader(record.BlockField))
        {
            if (Mends("it has an extent tree, and the extents flag is not set"))
            {
                record.Flags |= InodeFlags.Extents;
            }

            hasExtents = true;
        }

        if (hasExtents)
        {
            await WalkExtentsAsync().ConfigureAwait(false);
        }
        else
        {
            await WalkIndirectAsync().ConfigureAwait(false);
        }

        if (run.Repair is { } repair && tally.IsMisaligned)
        {
            repair.Misaligned.Add(number);
        }

        if (run.Repair is null)
        {
            Tell(tally.IsMisaligned, "blocks share a cluster against the rules of bigalloc");
            Tell(tally.HitsMetadata, "blocks lie on the volume's own structures");
        }
    }

    /// <summary>With bigalloc only extents map the blocks of files.</summary>
    private async ValueTask CheckMapKindAsync()
    {
        bool isWrong = run.Geometry.LogClusterRatio > 0 && !record.Is(InodeFlags.Extents) && record.BlockField.ContainsAnyExcept((byte)0)
            && (number == RootInode || number >= run.Geometry.FirstInode) && !IsSpecial(number);
        if (isWrong && run.Has(IncompatFeatures.Extents) && !IsPutOff && Mends("it has a block map, on a volume with bigalloc"))
        {
            record.Flags |= InodeFlags.Extents;
            await StoreMapAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask WalkExtentsAsync()
    {
        Collect();
        await extents.RunAsync(record, number).ConfigureAwait(false);
        if (extents.Faults.HasAny && run.Repair is not null)
        {
            isRemoved |= extents.IsRootDamaged;
            await MendMapAsync(extents.Faults.Kept).ConfigureAwait(false);
        }
    }

    private async ValueTask WalkIndirectAsync()
    {
        Collect();
        await indirect.RunAsync(record, number).ConfigureAwait(false);
        if (indirect.Faults.HasAny && run.Repair is not null)
        {
            await MendMapAsync(indirect.Faults.Kept).ConfigureAwait(false);
        }
    }

    /// <summary>A map whose own blocks have other owners is made anew when it gets blocks of its own; any other is, now.</summary>
    private async ValueTask MendMapAsync(List<(string Structure, string Place, string Found)> faults)
    {
        if (tally.HasSharedMap)
        {
            return;
        }

        foreach ((string structure, string place, string found) in faults)
        {
            isChanged |= run.Mends(structure, place, found);
        }

        if (!isRemoved)
        {
            await StoreMapAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Has the walk keep what it finds, from which a damaged map is made anew.</summary>
    private void Collect()
    {
        if (run.Repair is not null)
        {
            runs.Clear();
            mapBlocks.Clear();
            (tally.Runs, tally.MapBlocks) = (runs, mapBlocks);
        }
    }

    private async ValueTask StoreMapAsync()
    {
        if (run.Repair is { } repair && runs.Count < FileMap.MaxRuns)
        {
            var map = new FileMap(run, repair, number);
            map.Take([.. runs], [.. mapBlocks]);
            await map.StoreAsync(record, 0).ConfigureAwait(false);
            tally.Clusters -= (ulong)(mapBlocks.Count - map.MapBlocks.Count);
        }
    }

    private async ValueTask CheckSizeAsync()
    {
        ulong size = record.Size;
        if (record.IsSymbolicLink || IsPutOff)
        {
            return;
        }

        if (record.IsDirectory)
        {
            await CheckDirectorySizeAsync(size).ConfigureAwait(false);
            return;
        }

        ulong blockSize = (ulong)run.BlockSize;
        bool hasExtents = record.Is(InodeFlags.Extents) && run.Has(IncompatFeatures.Extents);
        ulong perBlock = blockSize / 4;
        ulong most = hasExtents
            ? (1UL << 32) * blockSize - 1
            : (12 + perBlock + (perBlock * perBlock) + (perBlock * perBlock * perBlock)) * blockSize;
        bool reachesLast = tally.LastWritten < 0 || record.Is(InodeFlags.Verity) || size >= (ulong)tally.LastWritten * blockSize;
        if (!reachesLast && Mends($"i_size is {size}, its last written block is {tally.LastWritten}"))
        {
            record.Size = (ulong)(tally.LastWritten + 1) * blockSize;
        }

        if (size > most && Mends($"i_size is {size}, more than its block map can hold"))
        {
            record.Size = (ulong)(tally.LastBlock + 1) * blockSize;
        }

        LargeFiles += size > LargestSmallFile ? 1 : 0;
    }

    /// <summary>Whether a repair first has to give the inode blocks of its own: what it adds up to is known only then.</summary>
    private bool IsPutOff => run.Repair is not null && (tally.HasSharedMap || tally.IsMisaligned || isRemoved);

    private async ValueTask CheckDirectorySizeAsync(ulong size)
    {
        ulong blockSize = (ulong)run.BlockSize;
        long blocks = (long)(size / blockSize);
        long needed = tally.LastBlock + 1;
        if (size % blockSize != 0)
        {
            MendDirectorySize($"i_size of a directory is {size}", needed);
            return;
        }

        if (blocks > needed || needed - blocks > run.Superblock.PreallocatedDirectoryBlocks)
        {
            MendDirectorySize($"i_size is {size}, expected {needed * run.BlockSize}", needed);
        }
        else if (blocks == 0)
        {
            MendDirectorySize("it is a directory without a block", needed);
        }

        long most = run.Has(IncompatFeatures.LargeDir) ? uint.MaxValue : (1L << 31) / run.BlockSize;
        if (tally.LastBlock >= most && Mends($"block {tally.LastBlock} makes the directory too large"))
        {
            runs.RemoveAll(r => r.File >= (ulong)most);
            await StoreMapAsync().ConfigureAwait(false);
            record.Size = runs.Count == 0 ? 0 : runs[^1].End * blockSize;
        }
    }

    private void MendDirectorySize(string found, long blocks)
    {
        // One without a block gets its first when directories are read.
        if ((blocks > 0 || run.Repair is null) && Mends(found))
        {
            record.Size = (ulong)blocks * (ulong)run.BlockSize;
        }
    }

    private void CheckBlockCount()
    {
        if (IsPutOff)
        {
            return;
        }

        ulong counted = tally.Clusters * (ulong)run.Geometry.ClusterRatio;
        ReadOnlySpan<byte> raw = record.Bytes;
        bool hasHuge = run.Has(ReadOnlyCompatFeatures.HugeFile);
        ulong stored = U32(raw, 0x1C) | (hasHuge ? (ulong)U16(raw, 0x74) << 32 : 0);
        ulong expected = hasHuge && record.Is(InodeFlags.HugeFile) ? counted : counted << (run.Geometry.LogBlockSize - LogSector);
        if (stored != expected && Mends($"i_blocks is {stored}, expected {expected}"))
        {
            record.TrySetAllocatedBytes(counted * (ulong)run.BlockSize, run.BlockSize, hasHuge);
        }

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
        if (record.Size != 0 && Mends($"it is a special file, and i_size is {record.Size}"))
        {
            record.Size = 0;
        }

        // A kernel that does not clear the rest of i_block is known by an immutable device, which cannot be made.
        bool isKnown = record.Is(InodeFlags.Immutable) && !record.Is(InodeFlags.AppendOnly);
        bool hasMap = record.Is(InodeFlags.Extents) || record.Is(InodeFlags.Index) || (!isKnown && record.BlockField[16..].ContainsAnyExcept((byte)0));
        if (hasMap)
        {
            isBad = true;
            Mends("it is a special file with a block map");
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
            Condemn(!isRight, $"it is a symbolic link, i_size is {record.Size}, and its inline contents have {length} bytes");
            CheckBlockCount();
            return;
        }

        if (IsFastLink)
        {
            Refuse(InodeFlags.Extents, isAllowed: false, "it is a short symbolic link, and the extents flag is set");
            int end = record.BlockField.IndexOf((byte)0);
            bool isTerminated = record.Is(InodeFlags.Encrypted) || (ulong)end == record.Size;
            bool mayHaveBlocks = record.AttributeBlock.Value != 0 || U32(record.Bytes, 0x1C) == 0;
            if (run.Repair is null)
            {
                Tell(!mayHaveBlocks, "it is a short symbolic link without an attribute block, and i_blocks is not 0");
            }

            Condemn(record.Size == 0 || !isTerminated, $"it is a symbolic link, i_size is {record.Size}, and its target has {end} bytes");
            await CheckContentsAsync().ConfigureAwait(false);
            return;
        }

        places.Clear();
        tally.Places = record.Size < (ulong)run.BlockSize ? places : null;
        await CheckContentsAsync().ConfigureAwait(false);
        bool hasOneBlock = tally.Blocks == 1 && places.Count == 1 && places[0].Index == 0 && record.Size < (ulong)run.BlockSize;
        Condemn(!hasOneBlock || !await IsTargetWholeAsync().ConfigureAwait(false), $"it is a symbolic link with a damaged target, i_size {record.Size}");
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

    /// <summary>Tells of what makes the inode useless: a repair removes it.</summary>
    private void Condemn(bool isWrong, string found)
    {
        if (isWrong)
        {
            isBad = true;
            Mends(found);
        }
    }

    private void Tell(bool isWrong, string found)
    {
        if (isWrong)
        {
            run.Log.Problem("inode", $"inode {number}", found);
        }
    }
}
