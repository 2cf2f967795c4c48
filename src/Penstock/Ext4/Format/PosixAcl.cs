using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// Access control lists, stored (ext4_acl_header version 1: entries without an id where it would say nothing) and on the wire
/// (posix_acl_xattr version 2: every entry of 8 bytes).
/// </summary>
internal static class PosixAcl
{
    private const uint StoredVersion = 1;
    private const uint WireVersion = 2;
    private const int HeaderSize = 4;
    private const int ShortEntrySize = 4;
    private const int EntrySize = 8;
    private const uint NoId = uint.MaxValue;
    private const ushort MaxPermissions = 7;

    private enum Tag : ushort
    {
        Owner = 0x01,
        User = 0x02,
        OwningGroup = 0x04,
        Group = 0x08,
        Mask = 0x10,
        Other = 0x20,
    }

    /// <summary>The wire's form of a stored list.</summary>
    /// <exception cref="CorruptVolumeException">The stored bytes are no list.</exception>
    public static byte[] ToWire<TLocation>(ReadOnlySpan<byte> stored, TLocation location)
    {
        uint version = stored.Length >= HeaderSize ? U32(stored, 0) : 0;
        FormatCheck.Require(version == StoredVersion, "access control list", location, "a_version", $"{version}, expected 1");
        var wire = new List<byte>(stored.Length * 2);
        Append(wire, WireVersion, HeaderSize);
        for (int offset = HeaderSize; offset < stored.Length;)
        {
            FormatCheck.Require(stored.Length - offset >= ShortEntrySize, "access control list", location, "e_tag", $"cut off at offset {offset}");
            ushort tag = U16(stored, offset);
            FormatCheck.Require(IsKnown(tag), "access control list", location, "e_tag", $"{tag} at offset {offset}");
            int size = HasId(tag) ? EntrySize : ShortEntrySize;
            FormatCheck.Require(stored.Length - offset >= size, "access control list", location, "e_id", $"cut off at offset {offset}");
            ushort permissions = U16(stored, offset + 2);
            Append(wire, tag | ((uint)permissions << 16), ShortEntrySize);
            Append(wire, HasId(tag) ? U32(stored, offset + 4) : NoId, ShortEntrySize);
            offset += size;
        }

        return [.. wire];
    }

    /// <summary>The stored form of a list that a program set.</summary>
    /// <returns>False if it is no valid list: wrong version or length, unknown tag, permissions beyond rwx, an order other than by tag and id,
    /// or not exactly one owner, owning group and other, and a mask wherever a user or group is named.</returns>
    public static bool TryToStored(ReadOnlySpan<byte> wire, out byte[] stored)
    {
        stored = [];
        if (wire.Length < HeaderSize || U32(wire, 0) != WireVersion || (wire.Length - HeaderSize) % EntrySize != 0 || !IsOrdered(wire))
        {
            return false;
        }

        var made = new List<byte>(wire.Length);
        Append(made, StoredVersion, HeaderSize);
        for (int offset = HeaderSize; offset < wire.Length; offset += EntrySize)
        {
            ushort tag = U16(wire, offset);
            Append(made, U32(wire, offset), ShortEntrySize);
            if (HasId(tag))
            {
                Append(made, U32(wire, offset + 4), ShortEntrySize);
            }
        }

        stored = [.. made];
        return true;
    }

    private static bool IsOrdered(ReadOnlySpan<byte> wire)
    {
        int last = 0;
        int seen = 0;
        for (int offset = HeaderSize; offset < wire.Length; offset += EntrySize)
        {
            ushort tag = U16(wire, offset);
            bool isRepeatable = HasId(tag);
            bool isInOrder = isRepeatable ? tag >= last : tag > last;
            if (!IsKnown(tag) || U16(wire, offset + 2) > MaxPermissions || !isInOrder || (isRepeatable && U32(wire, offset + 4) == NoId))
            {
                return false;
            }

            last = tag;
            seen |= tag;
        }

        const int Needed = (int)(Tag.Owner | Tag.OwningGroup | Tag.Other);
        bool needsMask = (seen & (int)(Tag.User | Tag.Group)) != 0;
        return (seen & Needed) == Needed && (!needsMask || (seen & (int)Tag.Mask) != 0);
    }

    private static bool IsKnown(ushort tag) => (Tag)tag is Tag.Owner or Tag.User or Tag.OwningGroup or Tag.Group or Tag.Mask or Tag.Other;

    private static bool HasId(ushort tag) => (Tag)tag is Tag.User or Tag.Group;

    private static void Append(List<byte> bytes, uint value, int size)
    {
        for (int i = 0; i < size; i++)
        {
            bytes.Add((byte)(value >> (8 * i)));
        }
    }
}
