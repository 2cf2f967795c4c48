namespace Penstock;

/// <summary>CRC-16 (reflected polynomial 0xA001), the group descriptor checksum of <c>uninit_bg</c> volumes.</summary>
internal static class Crc16
{
    public const ushort Start = ushort.MaxValue;

    private static readonly ushort[] Table = MakeTable();

    public static ushort Append(ushort crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte next in bytes)
        {
            crc = (ushort)((crc >> 8) ^ Table[(byte)(crc ^ next)]);
        }

        return crc;
    }

    private static ushort[] MakeTable()
    {
        var table = new ushort[256];
        for (int i = 0; i < table.Length; i++)
        {
            int entry = i;
            for (int bit = 0; bit < 8; bit++)
            {
                entry = (entry & 1) != 0 ? (entry >> 1) ^ 0xA001 : entry >> 1;
            }

            table[i] = (ushort)entry;
        }

        return table;
    }
}
