using System.Globalization;

namespace Penstock.Devices;

/// <summary>
/// How users name a device: a path, <c>path#N</c> for partition N of the disk there, <c>mem:SIZE</c> for memory.
/// </summary>
/// <param name="Text">The name as it was given.</param>
/// <param name="Path">The path of the file or device, or null for memory.</param>
/// <param name="Partition">The partition's number from 1, or 0 for the whole.</param>
/// <param name="MemoryLength">The length of memory in bytes, or 0.</param>
internal sealed record DeviceName(string Text, string? Path, int Partition, long MemoryLength)
{
    private const string MemoryPrefix = "mem:";

    /// <summary>Reads a name. A file whose own name ends in <c>#N</c> is named by that path: what exists goes first.</summary>
    /// <exception cref="DeviceException">The name makes no sense.</exception>
    public static DeviceName Parse(string text)
    {
        if (text.StartsWith(MemoryPrefix, StringComparison.Ordinal))
        {
            return TryParseSize(text.AsSpan(MemoryPrefix.Length), out long length) && length <= MemoryDevice.MaxLength
                ? new DeviceName(text, null, 0, length & ~511L)
                : throw new DeviceException(IoFault.InvalidArgument, text, "not a size up to 64T, such as mem:64M");
        }

        int hash = text.LastIndexOf('#');
        if (hash > 0 && !File.Exists(text) && int.TryParse(text.AsSpan(hash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return number > 0
                ? new DeviceName(text, text[..hash], number, 0)
                : throw new DeviceException(IoFault.InvalidArgument, text, "partitions are numbered from 1");
        }

        return text.Length > 0 ? new DeviceName(text, text, 0, 0) : throw new DeviceException(IoFault.NotFound, text, "the name is empty");
    }

    /// <summary>Reads a size in bytes, with K, M, G or T (powers of 1,024) behind it if wanted.</summary>
    public static bool TryParseSize(ReadOnlySpan<char> text, out long bytes)
    {
        bytes = 0;
        if (text.IsEmpty)
        {
            return false;
        }

        int shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        ReadOnlySpan<char> digits = shift == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = number << shift;
        return true;
    }
}
