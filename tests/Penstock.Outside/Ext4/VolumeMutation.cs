using System.Buffers.Binary;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Outside.Ext4;

/// <summary>Damages an image at places that matter, by a seed, and puts it back.</summary>
internal sealed class VolumeMutation
{
    private readonly string image;
    private readonly Superblock superblock;
    private readonly VolumeGeometry geometry;
    private readonly List<MetadataPlace> places;
    private readonly uint[] numbers;
    private readonly List<(long Offset, byte[] Before)> changed = [];

    private VolumeMutation(string image, Superblock superblock, List<MetadataPlace> places)
    {
        (this.image, this.superblock, this.places) = (image, superblock, places);
        geometry = new VolumeGeometry(superblock);

        // What a field might say by mistake: blocks and inodes that are there, and those just beyond.
        numbers =
        [
            0, 1, 2, 8, 11, 12, uint.MaxValue, 0x7FFFFFFF, 0x80000000, 0x8000, 0x7FFF, 0xF30A,
            (uint)superblock.BlockCount, (uint)superblock.BlockCount - 1, superblock.InodeCount, superblock.InodeCount + 1,
            .. places.Select(p => (uint)(p.Offset / geometry.BlockSize)), .. places.Select(p => p.Owner),
        ];
    }

    /// <summary>Finds the metadata of a sound volume.</summary>
    public static async Task<VolumeMutation> OpenAsync(string image)
    {
        (Superblock superblock, List<MetadataPlace> places) = await MetadataPlaces.FindAsync(image);
        return new VolumeMutation(image, superblock, places);
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
            MetadataPlace place = Choose(random);
            byte[] bytes = Read(file, place);
            string what = DamageKinds.Change(bytes, place.Kind, random, () => Read(file, ChooseLike(place, random)), numbers);
            if (fixes)
            {
                FixChecksum(bytes, place);
            }

            Write(file, place, bytes);
            described.Add($"{place.Kind} of {place.Owner} at {place.Offset} {what}{(fixes ? " fixed" : string.Empty)}");
        }

        return string.Join("; ", described);
    }

    private MetadataPlace Choose(Random random)
    {
        var kind = (MetadataKind)random.Next((int)MetadataKind.Count);
        MetadataPlace[] candidates = [.. places.Where(p => p.Kind == kind)];
        return candidates.Length == 0 ? places[random.Next(places.Count)] : candidates[random.Next(candidates.Length)];
    }

    private MetadataPlace ChooseLike(MetadataPlace place, Random random)
    {
        bool isSameKind = random.Next(4) > 0;
        MetadataPlace[] candidates = [.. places.Where(p => p.Length == place.Length && (p.Kind == place.Kind || !isSameKind))];
        return candidates[random.Next(candidates.Length)];
    }

    private static byte[] Read(FileStream file, MetadataPlace place)
    {
        byte[] bytes = new byte[place.Length];
        file.Position = place.Offset;
        file.ReadExactly(bytes);
        return bytes;
    }

    private void Write(FileStream file, MetadataPlace place, byte[] bytes)
    {
        changed.Add((place.Offset, Read(file, place)));
        file.Position = place.Offset;
        file.Write(bytes);
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
            case MetadataKind.MultipleMount:
                LittleEndian.U32(bytes, 0x3FC, Crc32C.Append(checksum.Seed, bytes.AsSpan(0, 0x3FC)));
                break;
            case MetadataKind.OrphanFile:
                OrphanBlock.WriteTail(bytes, (ulong)(place.Offset / geometry.BlockSize), hasChecksum: true, seed);
                break;
            case MetadataKind.JournalSuperblock:
                FixJournal(bytes);
                break;
            case MetadataKind.AttributeBlock:
                uint computed = AttributeBlockHeader.ComputeChecksum(bytes, new VolumeBlock((ulong)(place.Offset / geometry.BlockSize)), checksum.Seed);
                LittleEndian.U32(bytes, 16, computed);
                break;
            default:
                break;
        }
    }

    private static void FixJournal(byte[] bytes)
    {
        if ((bytes[0x2B] & 0x18) != 0)
        {
            uint crc = Crc32C.AppendZeros(Crc32C.Append(Crc32C.Start, bytes.AsSpan(0, 0xFC)), 4);
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(0xFC), Crc32C.Append(crc, bytes.AsSpan(0x100, 0x300)));
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
}
