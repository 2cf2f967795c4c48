using System.Text;

namespace Penstock.Files;

/// <summary>One component of a path, as bytes: 1 to 255 of them, no slash, no NUL. File systems of Linux do not know encodings.</summary>
internal readonly record struct FileName
{
    public const int MaxLength = 255;

    private readonly ReadOnlyMemory<byte> _bytes;

    private FileName(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes.Span;

    public int Length => _bytes.Length;

    /// <summary>Whether the name is "." or "..", which no operation but a look-up takes.</summary>
    public bool IsDotOrDotDot => Bytes.SequenceEqual("."u8) || Bytes.SequenceEqual(".."u8);

    /// <exception cref="FileSystemException">NameTooLong, or InvalidArgument for an empty name or one with a slash or NUL.</exception>
    public static FileName From(ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length > MaxLength)
        {
            throw new FileSystemException(IoFault.NameTooLong, $"{Encoding.UTF8.GetString(span)}: {IoFault.NameTooLong.Describe()}");
        }

        if (span.IsEmpty || span.ContainsAny((byte)0, (byte)'/'))
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"'{Encoding.UTF8.GetString(span)}' is no file name");
        }

        return new FileName(bytes);
    }

    public static FileName From(string name) => From(Encoding.UTF8.GetBytes(name));

    public bool Equals(FileName other) => Bytes.SequenceEqual(other.Bytes);

    /// <summary>FNV-1a: the same in every run, unlike the runtime's string hash, so that the simulator sees one order.</summary>
    public override int GetHashCode()
    {
        uint hash = 2166136261;
        foreach (byte b in Bytes)
        {
            hash = (hash ^ b) * 16777619;
        }

        return (int)hash;
    }

    public override string ToString() => Encoding.UTF8.GetString(Bytes);
}
