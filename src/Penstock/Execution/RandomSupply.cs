using System.Security.Cryptography;

namespace Penstock.Execution;

/// <summary>Random bytes of the host in small portions: each new inode takes four of them, and to ask the host each time costs more than what they are for.</summary>
internal static class RandomSupply
{
    private const int Length = 1024;

    [ThreadStatic]
    private static byte[]? t_bytes;

    [ThreadStatic]
    private static int t_left;

    /// <summary>Fills <paramref name="bytes"/>; no byte is given out twice. Any thread.</summary>
    public static void Fill(Span<byte> bytes)
    {
        if (bytes.Length > Length)
        {
            RandomNumberGenerator.Fill(bytes);
            return;
        }

        byte[] supply = t_bytes ??= new byte[Length];
        if (t_left < bytes.Length)
        {
            RandomNumberGenerator.Fill(supply);
            t_left = Length;
        }

        t_left -= bytes.Length;
        supply.AsSpan(t_left, bytes.Length).CopyTo(bytes);
    }
}
