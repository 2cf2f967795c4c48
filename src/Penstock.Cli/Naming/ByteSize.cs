using System.Globalization;

namespace Penstock.Cli.Naming;

/// <summary>Sizes as users write them: 4096, 64K, 1.5G, 1GiB, 10GB.</summary>
internal static class ByteSize
{
    /// <exception cref="UsageException">No size.</exception>
    public static long Parse(string text) => TryParse(text, out long bytes)
        ? bytes
        : throw new UsageException($"'{text}' is no size; write bytes, or a number with K, M, G or T, such as 1G");

    /// <summary>K, M, G, T, P with or without "iB" are powers of 1,024; with "B", of 1,000.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        int end = text.Length;
        while (end > 0 && !char.IsAsciiDigit(text[end - 1]))
        {
            end--;
        }

        if (!TryGetUnit(text[end..], out double unit)
            || !double.TryParse(text.AsSpan(0, end), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
        {
            return false;
        }

        double value = number * unit;
        if (!double.IsFinite(value) || value < 1 || value > 1L << 60)
        {
            return false;
        }

        bytes = (long)value;
        return true;
    }

    private static bool TryGetUnit(string suffix, out double unit)
    {
        unit = 1;
        if (suffix is "" or "B")
        {
            return true;
        }

        int power = "KMGTP".IndexOf(char.ToUpperInvariant(suffix[0]), StringComparison.Ordinal) + 1;
        string rest = suffix[1..];
        unit = Math.Pow(rest == "B" ? 1000 : 1024, power);
        return power > 0 && rest is "" or "B" or "iB";
    }
}
