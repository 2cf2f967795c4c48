using System.Globalization;

namespace Penstock.Cli.Output;

/// <summary>Times as text, always in UTC: the volume knows no other.</summary>
internal static class TimeText
{
    public static string Iso(Timestamp time) => string.Create(
        CultureInfo.InvariantCulture, $"{time.ToDateTimeOffset():yyyy-MM-ddTHH:mm:ss}.{time.Nanoseconds:D9}Z");

    public static string Short(Timestamp time) => time.ToDateTimeOffset().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    public static string Full(Timestamp time) => string.Create(
        CultureInfo.InvariantCulture, $"{time.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}.{time.Nanoseconds:D9} +0000");
}
