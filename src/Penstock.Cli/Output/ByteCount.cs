using System.Globalization;

namespace Penstock.Cli.Output;

/// <summary>Bytes for people: 1.5G, as <c>ls -h</c> and <c>df -h</c> write them.</summary>
internal static class ByteCount
{
    public static string Describe(long bytes)
    {
        ReadOnlySpan<char> units = "KMGTPE";
        if (Math.Abs(bytes) < 1024)
        {
            return bytes.ToString(CultureInfo.InvariantCulture);
        }

        double value = bytes;
        int unit = -1;
        while (Math.Abs(value) >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        // Rounded up, as coreutils do: what is shown is room enough.
        value = value < 10 ? Math.Ceiling(value * 10) / 10 : Math.Ceiling(value);
        string format = value < 10 ? "0.0" : "0";
        return value.ToString(format, CultureInfo.InvariantCulture) + units[unit];
    }
}
