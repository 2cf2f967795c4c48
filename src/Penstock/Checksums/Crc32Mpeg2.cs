namespace Penstock;

/// <summary>
/// CRC-32 of polynomial 0x04C11DB7, the highest bit first and inverted nowhere: what the first version of journal checksums sums up a
/// transaction with. A chain starts with <see cref="Start"/> and the register is stored as it is.
/// </summary>
internal static class Crc32Mpeg2
{
    public const uint Start = uint.MaxValue;

    private const uint Polynomial = 0x04C11DB7;

    private static readonly uint[] Table = MakeTable();

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte next in bytes)
        {
            crc = (crc << 8) ^ Table[(byte)(crc >> 24) ^ next];
        }

        return crc;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint entry = i << 24;
            for (int bit = 0; bit < 8; bit++)
            {
                entry = (entry & 0x80000000) != 0 ? (entry << 1) ^ Polynomial : entry << 1;
            }

            table[i] = entry;
        }

        return table;
    }
}
