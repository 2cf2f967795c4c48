using System.Buffers.Binary;

namespace Penstock.Outside.Fuzz;

/// <summary>Damages a copy of an image by a seed: a few fields of a few pieces of metadata, in half of the cases with checksums made right again.</summary>
internal static class Damage
{
    public static string Do(byte[] image, MetadataMap map, Random random)
    {
        bool isRight = random.Next(3) > 0;
        var checksums = new Checksums(map);
        var kinds = map.Units.Select(u => u.Kind).Distinct().ToList();
        var done = new List<string>();
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            // Kinds are equally likely: there are many inodes and one superblock.
            MetadataKind kind = kinds[random.Next(kinds.Count)];
            List<MetadataUnit> candidates = map.Units.FindAll(u => u.Kind == kind);
            MetadataUnit unit = candidates[random.Next(candidates.Count)];
            for (int fields = random.Next(1, 4); fields > 0; fields--)
            {
                int at = ChangeField(unit.In(image), map, candidates, image, random);
                done.Add($"{kind} {unit.Number} at 0x{unit.Offset:x}+0x{at:x}");
            }

            if (isRight)
            {
                checksums.MakeRight(image, unit);
            }
        }

        return $"{string.Join(", ", done)}; checksums {(isRight ? "right" : "as they were")}";
    }

    private static int ChangeField(Span<byte> bytes, MetadataMap map, List<MetadataUnit> like, byte[] image, Random random)
    {
        // Heads of structures hold most fields.
        int most = random.Next(3) switch { 0 => Math.Min(bytes.Length, 64), 1 => Math.Min(bytes.Length, 256), _ => bytes.Length };
        int at = random.Next(most);
        switch (random.Next(8))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 or 3 when bytes.Length >= 4:
                at = Math.Min(at & ~1, bytes.Length - 2);
                BinaryPrimitives.WriteUInt16LittleEndian(bytes[at..], Pick16(bytes, at, random));
                break;
            case 4 or 5 when bytes.Length >= 4:
                at = Math.Min(at & ~3, bytes.Length - 4);
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], Pick32(map, random));
                break;
            case 6:
                // A piece of another structure of its kind: names, extents and blocks that are owned twice.
                int length = Math.Min(random.Next(1, 65), bytes.Length - at);
                like[random.Next(like.Count)].In(image).Slice(at, length).CopyTo(bytes[at..]);
                break;
            default:
                bytes.Slice(at, Math.Min(random.Next(1, 33), bytes.Length - at)).Fill(random.Next(2) == 0 ? (byte)0 : (byte)0xFF);
                break;
        }

        return at;
    }

    private static ushort Pick16(ReadOnlySpan<byte> bytes, int at, Random random)
    {
        ushort now = BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
        ushort[] some = [0, 1, ushort.MaxValue, 0x8000, 0x7FFF, (ushort)(now + 1), (ushort)(now - 1), (ushort)random.Next(ushort.MaxValue), (ushort)random.Next(16)];
        return some[random.Next(some.Length)];
    }

    private static uint Pick32(MetadataMap map, Random random)
    {
        uint blocks = (uint)map.Geometry.BlockCount;
        MetadataUnit other = map.Units[random.Next(map.Units.Count)];
        uint[] some = [0, 1, 2, uint.MaxValue, int.MaxValue, 0x80000000, blocks, blocks - 1, (uint)random.Next((int)blocks), (uint)random.Next((int)blocks),
            (uint)(other.Offset / map.Geometry.BlockSize), other.Number, map.Geometry.InodeCount, (uint)random.Next((int)map.Geometry.InodeCount + 1)];
        return some[random.Next(some.Length)];
    }
}
