using System.Buffers.Binary;

namespace Penstock.Stress.Fsx;

/// <summary>
/// What operations write: each eight bytes of a file tell, once unscrambled, which operation wrote them and where. Scrambled, every byte of two different
/// operations differs with a chance of 255 in 256.
/// </summary>
/// <param name="salt">Drawn for each set of files, so that what an earlier file left in freed blocks is told from this one's.</param>
internal readonly struct ContentTag(ulong salt)
{
    private const int WordBytes = 8;
    private const int PlaceBits = 28;
    private const int FileBits = 6;

    private readonly ulong _salt = Mix(salt);

    /// <summary>Fills what operation <paramref name="number"/> writes at <paramref name="offset"/> of a file.</summary>
    public void Fill(Span<byte> bytes, int number, int file, long offset)
    {
        Span<byte> word = stackalloc byte[WordBytes];
        while (bytes.Length > 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, Scramble(number, file, offset / WordBytes));
            ReadOnlySpan<byte> part = word[(int)(offset % WordBytes)..];
            part = part[..Math.Min(part.Length, bytes.Length)];
            part.CopyTo(bytes);
            bytes = bytes[part.Length..];
            offset += part.Length;
        }
    }

    /// <summary>Which operation wrote eight bytes, and to which place; false where they are no such tag.</summary>
    public bool TryRead(ReadOnlySpan<byte> word, int lastNumber, out int number, out int file, out long offset)
    {
        ulong payload = Unmix(BinaryPrimitives.ReadUInt64LittleEndian(word)) ^ _salt;
        number = (int)(payload >> (PlaceBits + FileBits));
        file = (int)(payload >> PlaceBits) & ((1 << FileBits) - 1);
        offset = (long)(payload & ((1UL << PlaceBits) - 1)) * WordBytes;
        return number <= lastNumber && file < FsxOptions.MaxFiles;
    }

    private ulong Scramble(int number, int file, long place) => Mix(
        (((ulong)number << (PlaceBits + FileBits)) | ((ulong)file << PlaceBits) | ((ulong)place & ((1UL << PlaceBits) - 1))) ^ _salt);

    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>The inverse: the odd factors have inverses modulo 2 to the 64th, and a shift to the right is undone by repeating it.</summary>
    private static ulong Unmix(ulong x)
    {
        x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642B2D24D8EC3;
        x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96DE1B173F119089;
        return x ^ (x >> 30) ^ (x >> 60);
    }
}
