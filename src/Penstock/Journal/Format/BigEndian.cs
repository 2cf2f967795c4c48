using System.Buffers.Binary;

namespace Penstock.Journal.Format;

/// <summary>The byte order of a journal. Short names, because every field of every structure is one call.</summary>
internal static class BigEndian
{
    public static ushort U16(ReadOnlySpan<byte> raw, int offset) => BinaryPrimitives.ReadUInt16BigEndian(raw[offset..]);

    public static uint U32(ReadOnlySpan<byte> raw, int offset) => BinaryPrimitives.ReadUInt32BigEndian(raw[offset..]);

    public static ulong U64(ReadOnlySpan<byte> raw, int offset) => BinaryPrimitives.ReadUInt64BigEndian(raw[offset..]);

    public static void U16(Span<byte> raw, int offset, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(raw[offset..], value);

    public static void U32(Span<byte> raw, int offset, uint value) => BinaryPrimitives.WriteUInt32BigEndian(raw[offset..], value);

    public static void U64(Span<byte> raw, int offset, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(raw[offset..], value);
}
