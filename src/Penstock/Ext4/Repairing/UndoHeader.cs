using System.Buffers.Binary;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>The head of an undo file.</summary>
/// <param name="Volume">s_uuid of the volume.</param>
/// <param name="DeviceLength">The length of its device in bytes.</param>
/// <param name="Records">Records that count.</param>
/// <param name="FirstUnitHash"><see cref="HashOf"/> the volume's first unit after the repair; null while the repair goes on.</param>
internal readonly record struct UndoHeader(Guid Volume, long DeviceLength, long Records, uint? FirstUnitHash)
{
    /// <summary>
    /// FNV-1a of 32 bits. A CRC-32C would not do: the superblock ends with its own, and so every superblock would leave the same remainder.
    /// </summary>
    public static uint HashOf(ReadOnlySpan<byte> bytes)
    {
        uint hash = 2166136261;
        foreach (byte next in bytes)
        {
            hash = (hash ^ next) * 16777619;
        }

        return hash;
    }

    /// <summary>Writes the head and its checksum, which lies at the offset given.</summary>
    public void WriteTo(Span<byte> bytes, int checksumOffset)
    {
        UndoFile.Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x08..], UndoFile.Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x0C..], HeldWritesDevice.UnitSize);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[0x10..], DeviceLength);
        Volume.TryWriteBytes(bytes.Slice(0x18, 16), bigEndian: true, out _);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[0x28..], Records);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x30..], FirstUnitHash is null ? 0u : 1u);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x34..], FirstUnitHash ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[checksumOffset..], Crc32C.Append(Crc32C.Start, bytes[..checksumOffset]));
    }

    /// <summary>Reads a head.</summary>
    /// <exception cref="FileSystemException">It is none, or damaged.</exception>
    public static UndoHeader Read(ReadOnlySpan<byte> bytes, int checksumOffset)
    {
        bool isRight = bytes[..8].SequenceEqual(UndoFile.Magic)
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x08..]) == UndoFile.Version
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x0C..]) == HeldWritesDevice.UnitSize
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[checksumOffset..]) == Crc32C.Append(Crc32C.Start, bytes[..checksumOffset]);
        if (!isRight)
        {
            throw new FileSystemException(IoFault.InvalidArgument, "it is no undo file, or its head is damaged");
        }

        bool isFinished = BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x30..]) != 0;
        return new UndoHeader(
            new Guid(bytes.Slice(0x18, 16), bigEndian: true),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[0x10..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[0x28..]),
            isFinished ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x34..]) : null);
    }
}
