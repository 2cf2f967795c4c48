using Penstock.Ext4.Format;

namespace Penstock.Outside.Ext4;

/// <summary>The ways in which a stretch of metadata goes wrong.</summary>
internal static class DamageKinds
{
    private const int RecordSize = 12; // of an extent, and of a directory entry with a short name

    /// <summary>Changes bytes in one of many ways.</summary>
    /// <param name="bytes">The stretch.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="random">Decides.</param>
    /// <param name="readOther">Another stretch of this length.</param>
    /// <param name="numbers">What fields might say by mistake.</param>
    /// <returns>What was done.</returns>
    public static string Change(byte[] bytes, MetadataKind kind, Random random, Func<byte[]> readOther, uint[] numbers)
    {
        switch (random.Next(16))
        {
            case < 7:
                return ChangeBytes(bytes, random);
            case < 12:
                return ChangeField(bytes, kind, random, numbers);
            case 12:
                return ChangeRecord(bytes, random);
            case 13:
                readOther().CopyTo(bytes, 0);
                return "overwritten by another";
            case 14:
                int begin = random.Next(2) == 0 ? 0 : random.Next(bytes.Length);
                int length = random.Next(2) == 0 ? bytes.Length - begin : random.Next(bytes.Length - begin);
                byte value = (byte)(random.Next(2) == 0 ? 0 : random.Next(256));
                bytes.AsSpan(begin, length).Fill(value);
                return $"+0x{begin:x}..{length} filled with 0x{value:x2}";
            default:
                int from = random.Next(bytes.Length);
                random.NextBytes(bytes.AsSpan(from, Math.Min(64, bytes.Length - from)));
                return $"+0x{from:x}..64 random";
        }
    }

    private static string ChangeBytes(byte[] bytes, Random random)
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

    private static string ChangeField(byte[] bytes, MetadataKind kind, Random random, uint[] numbers)
    {
        int limit = random.Next(3) == 0 || kind is MetadataKind.Superblock or MetadataKind.Inode ? bytes.Length : Math.Min(bytes.Length, 160);
        int at = random.Next(limit / 4) * 4;
        uint before = LittleEndian.U32(bytes, at);
        uint value = random.Next(4) switch
        {
            0 => before + 1,
            1 => before - 1,
            _ => numbers[random.Next(numbers.Length)],
        };
        if (random.Next(3) == 0)
        {
            at += random.Next(2) * 2;
            before = LittleEndian.U16(bytes, at);
            LittleEndian.U16(bytes, at, (ushort)value);
            return $"+0x{at:x} 16 bits: 0x{before:x} -> 0x{(ushort)value:x}";
        }

        if (kind is MetadataKind.JournalSuperblock or MetadataKind.JournalBlock)
        {
            value = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
        }

        LittleEndian.U32(bytes, at, value);
        return $"+0x{at:x}: 0x{before:x} -> 0x{value:x}";
    }

    private static string ChangeRecord(byte[] bytes, Random random)
    {
        int most = Math.Min(20, (bytes.Length / RecordSize) - 1);
        if (most < 2)
        {
            return ChangeBytes(bytes, random);
        }

        int shift = random.Next(3) * 4;
        int from = (random.Next(most) * RecordSize) + shift;
        int to = (random.Next(most) * RecordSize) + shift;
        bytes.AsSpan(from, RecordSize).CopyTo(bytes.AsSpan(to));
        return $"+0x{from:x}..{RecordSize} copied to +0x{to:x}";
    }
}
