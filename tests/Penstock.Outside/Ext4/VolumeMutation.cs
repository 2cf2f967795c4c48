using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Outside.Ext4;

/// <summary>What a stretch of metadata is: decides which checksum belongs to it.</summary>
internal enum MetadataKind
{
    Superblock,
    Descriptor,
    BlockBitmap,
    InodeBitmap,
    Inode,
    Directory,
    ExtentBlock,
    AttributeBlock,
    JournalSuperblock,
    Other,
}

/// <summary>A stretch of metadata of a volume.</summary>
internal readonly record struct MetadataPlace(MetadataKind Kind, long Offset, int Length, uint Owner, uint Generation);

/// <summary>Damages an image at places that matter, by a seed, and puts it back.</summary>
internal sealed class VolumeMutation
{
    private readonly string image;
    private readonly Superblock superblock;
    private readonly VolumeGeometry geometry;
    private readonly List<MetadataPlace> places = [];
    private readonly List<(long Offset, byte[] Before)> changed = [];

    private VolumeMutation(string image, Superblock superblock)
    {
        this.image = image;
        this.superblock = superblock;
        geometry = new VolumeGeometry(superblock);
    }

    /// <summary>Finds the metadata of a sound volume.</summary>
    public static async Task<VolumeMutation> OpenAsync(string image)
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(image, new DeviceOptions { IsReadOnly = true });
        var log = new ProblemLog(10);
        Superblock superblock = (await SuperblockSearch.ReadPrimaryAsync(device, log))!;
        var run = new CheckRun(new VolumeStore(SubBlockDevice.For(device, superblock.BlockSize), superblock.BlockSize), superblock, log, CheckOptions.Default)
        {
            SuperblockAt = new VolumeGeometry(superblock).SuperblockBlock,
        };
        await new DescriptorCheck(run).ReadAsync();
        var made = new VolumeMutation(image, superblock);
        await made.FindAsync(run);
        return made;
    }

    /// <summary>Damages the volume.</summary>
    /// <returns>What was done, for the message of a test that fails.</returns>
    public string Damage(int seed)
    {
        var random = new Random(seed);
        using FileStream file = File.Open(image, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var described = new List<string>();
        int count = random.Next(3) == 0 ? random.Next(2, 5) : 1;
        bool fixes = random.Next(2) == 0;
        for (int i = 0; i < count; i++)
        {
            MetadataKind kind = (MetadataKind)random.Next((int)MetadataKind.Other);
            MetadataPlace[] candidates = [.. places.Where(p => p.Kind == kind)];
            if (candidates.Length == 0)
            {
                candidates = [.. places.Where(p => p.Kind == MetadataKind.Inode)];
            }

            MetadataPlace place = candidates[random.Next(candidates.Length)];
            byte[] bytes = new byte[place.Length];
            file.Position = place.Offset;
            file.ReadExactly(bytes);
            changed.Add((place.Offset, (byte[])bytes.Clone()));
            string what = Change(bytes, random);
            if (fixes)
            {
                FixChecksum(bytes, place);
            }

            file.Position = place.Offset;
            file.Write(bytes);
            described.Add($"{place.Kind} of {place.Owner} at {place.Offset} {what}{(fixes ? " fixed" : string.Empty)}");
        }

        return string.Join("; ", described);
    }

    public void Undo()
    {
        using FileStream file = File.Open(image, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        for (int i = changed.Count - 1; i >= 0; i--)
        {
            file.Position = changed[i].Offset;
            file.Write(changed[i].Before);
        }

        changed.Clear();
    }

    private static string Change(byte[] bytes, Random random)
    {
        // The beginning of most structures is where their fields are.
        int limit = random.Next(3) == 0 ? bytes.Length : Math.Min(bytes.Length, 160);
        int at = random.Next(limit);
        int length = Math.Min(random.Next(4) == 0 ? 4 : 1, bytes.Length - at);
        byte before = bytes[at];
        for (int i = at; i < at + length; i++)
        {
            bytes[i] = random.Next(5) switch
            {
                0 => 0,
                1 => 0xFF,
                2 => (byte)(bytes[i] + 1),
                3 => (byte)(bytes[i] ^ (1 << random.Next(8))),
                _ => (byte)random.Next(256),
            };
        }

        return $"+0x{at:x}..{length}: 0x{before:x2} -> 0x{bytes[at]:x2}";
    }

    private void FixChecksum(byte[] bytes, MetadataPlace place)
    {
        if (place.Kind == MetadataKind.Descriptor)
        {
            LittleEndian.U16(bytes, 0x1E, new GroupChecksum(superblock).Compute(bytes, new BlockGroup(place.Owner)));
        }

        if (!superblock.HasMetadataChecksums)
        {
            return;
        }

        var checksum = new MetadataChecksum(superblock);
        uint seed = checksum.SeedOf(new InodeNumber(place.Owner), place.Generation);
        switch (place.Kind)
        {
            case MetadataKind.Superblock:
                LittleEndian.U32(bytes, 0x3FC, Crc32C.Append(Crc32C.Start, bytes.AsSpan(0, 0x3FC)));
                break;
            case MetadataKind.Inode:
                InodeRecord.Read(bytes).WriteTo(bytes, new InodeNumber(place.Owner), checksum);
                break;
            case MetadataKind.Directory when DirectoryTail.IsPresent(bytes):
                DirectoryTail.Write(bytes, seed);
                break;
            case MetadataKind.Directory:
                FixIndex(bytes, seed);
                break;
            case MetadataKind.ExtentBlock when ExtentTail.OffsetOf(bytes) <= bytes.Length - 4:
                ExtentTail.Write(bytes, seed);
                break;
            case MetadataKind.AttributeBlock:
                uint computed = AttributeBlockHeader.ComputeChecksum(bytes, new VolumeBlock((ulong)(place.Offset / geometry.BlockSize)), checksum.Seed);
                LittleEndian.U32(bytes, 16, computed);
                break;
            default:
                break;
        }
    }

    private static void FixIndex(byte[] bytes, uint seed)
    {
        int offset = bytes[8] == (byte)'.' ? DxRoot.EntriesOffset : DxNode.EntriesOffset;
        int limit = DxNode.ReadLimit(bytes, offset);
        if (DxNode.ReadCount(bytes, offset) <= limit && offset + (limit * 8) + 8 <= bytes.Length)
        {
            DxNode.WriteChecksum(bytes, offset, seed);
        }
    }

    private async Task FindAsync(CheckRun run)
    {
        places.Add(new MetadataPlace(MetadataKind.Superblock, Superblock.VolumeOffset, Superblock.Size, 0, 0));
        for (uint group = 0; group < geometry.GroupCount; group++)
        {
            (VolumeBlock block, int offset) = geometry.LocateDescriptor(new BlockGroup(group));
            places.Add(new MetadataPlace(
                MetadataKind.Descriptor, ((long)block.Value * geometry.BlockSize) + offset, geometry.DescriptorSize, group, 0));
            AddBlock(MetadataKind.BlockBitmap, run.Descriptors[group].BlockBitmap.Value, group, 0);
            AddBlock(MetadataKind.InodeBitmap, run.Descriptors[group].InodeBitmap.Value, group, 0);
            for (uint index = 0; index < run.InodesToScan(group); index++)
            {
                await FindInodeAsync(run, (uint)geometry.InodeAt(new BlockGroup(group), index).Value);
            }
        }
    }

    private async Task FindInodeAsync(CheckRun run, uint number)
    {
        using var peek = new InodePeek(run);
        InodeRecord inode = (await peek.ReadAsync(number))!;
        if (inode.Mode == 0)
        {
            return;
        }

        InodeLocation location = geometry.Locate(new InodeNumber(number));
        ulong block = run.Descriptors[location.Group.Value].InodeTable.Value + location.TableBlock;
        long offset = ((long)block * geometry.BlockSize) + location.OffsetInBlock;
        places.Add(new MetadataPlace(MetadataKind.Inode, offset, geometry.InodeSize, number, inode.Generation));
        if (inode.AttributeBlock.Value != 0)
        {
            AddBlock(MetadataKind.AttributeBlock, inode.AttributeBlock.Value, number, inode.Generation);
        }

        if (inode.Is(InodeFlags.InlineContents) || inode.Kind is not (InodeKind.Directory or InodeKind.Regular))
        {
            return;
        }

        if (inode.Is(InodeFlags.Extents) && ExtentHeader.Read(inode.BlockField) is { Depth: > 0, Entries: > 0 })
        {
            AddBlock(MetadataKind.ExtentBlock, LittleEndian.U32(inode.BlockField, ExtentHeader.Size + 4), number, inode.Generation);
        }
        else if (!inode.Is(InodeFlags.Extents) && LittleEndian.U32(inode.BlockField, 48) != 0)
        {
            AddBlock(MetadataKind.ExtentBlock, LittleEndian.U32(inode.BlockField, 48), number, inode.Generation);
        }

        if (inode.IsDirectory || number == superblock.JournalInode)
        {
            foreach (DirectoryPlace place in (await new FileBlocks(run, inode.IsDirectory ? 500 : 1).CollectAsync(inode)).Take(inode.IsDirectory ? 500 : 1))
            {
                AddBlock(inode.IsDirectory ? MetadataKind.Directory : MetadataKind.JournalSuperblock, place.Volume, number, inode.Generation);
            }
        }
    }

    private void AddBlock(MetadataKind kind, ulong block, uint owner, uint generation) =>
        places.Add(new MetadataPlace(kind, (long)block * geometry.BlockSize, geometry.BlockSize, owner, generation));
}
