using System.Buffers.Binary;

namespace Penstock.Files;

/// <summary>
/// A POSIX access control list, as the value of system.posix_acl_access and system.posix_acl_default has it: a version, then
/// entries of tag, permissions and id. See acl(5).
/// </summary>
internal sealed class AccessControlList
{
    public static readonly FileName AccessName = FileName.From("system.posix_acl_access");
    public static readonly FileName DefaultName = FileName.From("system.posix_acl_default");

    private const uint Version = 2;
    private const int HeaderSize = 4;
    private const int EntrySize = 8;
    private const uint NoId = uint.MaxValue;
    private const ushort AllPermissions = 7;

    private readonly AccessControlEntry[] _entries;

    public AccessControlList(AccessControlEntry[] entries) => _entries = entries;

    public ReadOnlySpan<AccessControlEntry> Entries => _entries;

    /// <summary>Whether the list says no more than the nine bits of a mode do.</summary>
    public bool IsMode => _entries.Length == 3;

    /// <exception cref="FileSystemException">InvalidArgument; NotSupported for another version.</exception>
    public static AccessControlList Parse(ReadOnlySpan<byte> value)
    {
        if (value.Length < HeaderSize || (value.Length - HeaderSize) % EntrySize != 0)
        {
            throw new FileSystemException(IoFault.InvalidArgument, "an access control list of an impossible length");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(value) != Version)
        {
            throw new FileSystemException(IoFault.NotSupported, "an access control list of an unknown version");
        }

        var entries = new AccessControlEntry[(value.Length - HeaderSize) / EntrySize];
        for (int i = 0; i < entries.Length; i++)
        {
            ReadOnlySpan<byte> raw = value.Slice(HeaderSize + (i * EntrySize), EntrySize);
            var tag = (AccessControlTag)BinaryPrimitives.ReadUInt16LittleEndian(raw);
            uint id = BinaryPrimitives.ReadUInt32LittleEndian(raw[4..]);
            entries[i] = new AccessControlEntry(tag, BinaryPrimitives.ReadUInt16LittleEndian(raw[2..]), HasId(tag) ? id : NoId);
        }

        var list = new AccessControlList(entries);
        list.RequireValid();
        return list;
    }

    public static bool HasId(AccessControlTag tag) => tag is AccessControlTag.User or AccessControlTag.Group;

    public byte[] ToValue()
    {
        byte[] value = new byte[HeaderSize + (_entries.Length * EntrySize)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, Version);
        for (int i = 0; i < _entries.Length; i++)
        {
            Span<byte> raw = value.AsSpan(HeaderSize + (i * EntrySize), EntrySize);
            BinaryPrimitives.WriteUInt16LittleEndian(raw, (ushort)_entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(raw[2..], _entries[i].Permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(raw[4..], _entries[i].Id);
        }

        return value;
    }

    /// <summary>What a new inode gets from this default list: its mode, and its access list where the mode cannot say it all.</summary>
    public (ushort Mode, byte[]? Access) Inherit(ushort mode)
    {
        var inherited = (AccessControlEntry[])_entries.Clone();
        foreach (ref AccessControlEntry entry in inherited.AsSpan())
        {
            if (ShiftOf(entry.Tag) is { } shift)
            {
                entry = entry with { Permissions = (ushort)(entry.Permissions & (mode >> shift)) };
                mode = (ushort)((mode & ~(AllPermissions << shift)) | (entry.Permissions << shift));
            }
        }

        return (mode, IsMode ? null : new AccessControlList(inherited).ToValue());
    }

    /// <summary>The mode whose nine permission bits are what this access list says of them.</summary>
    public ushort ApplyTo(ushort mode)
    {
        foreach (AccessControlEntry entry in _entries)
        {
            if (ShiftOf(entry.Tag) is { } shift)
            {
                mode = (ushort)((mode & ~(AllPermissions << shift)) | (entry.Permissions << shift));
            }
        }

        return mode;
    }

    /// <summary>This access list after a chmod to <paramref name="mode"/>.</summary>
    public AccessControlList WithMode(ushort mode)
    {
        var changed = (AccessControlEntry[])_entries.Clone();
        foreach (ref AccessControlEntry entry in changed.AsSpan())
        {
            if (ShiftOf(entry.Tag) is { } shift)
            {
                entry = entry with { Permissions = (ushort)((mode >> shift) & AllPermissions) };
            }
        }

        return new AccessControlList(changed);
    }

    private bool HasMask => Array.Exists(_entries, static e => e.Tag == AccessControlTag.Mask);

    /// <summary>Where in a mode an entry's permissions stand, or null. With a mask, the mode's group bits are the mask's.</summary>
    private int? ShiftOf(AccessControlTag tag) => tag switch
    {
        AccessControlTag.UserOwner => 6,
        AccessControlTag.GroupOwner when !HasMask => 3,
        AccessControlTag.Mask => 3,
        AccessControlTag.Other => 0,
        _ => null,
    };

    /// <summary>Tags rise, the three of a mode and the mask occur once, and a mask is there if a user or group is named.</summary>
    private void RequireValid()
    {
        AccessControlTag last = 0;
        bool isNamed = false;
        int owners = 0;
        foreach (AccessControlEntry entry in _entries)
        {
            bool mayRepeat = HasId(entry.Tag);
            bool isKnown = Enum.IsDefined(entry.Tag);
            if (!isKnown || entry.Permissions > AllPermissions || entry.Tag < last || (entry.Tag == last && !mayRepeat))
            {
                throw new FileSystemException(IoFault.InvalidArgument, "an access control list with an entry out of place");
            }

            isNamed |= mayRepeat;
            owners += mayRepeat || entry.Tag == AccessControlTag.Mask ? 0 : 1;
            last = entry.Tag;
        }

        if (owners != 3 || (isNamed && !HasMask))
        {
            throw new FileSystemException(IoFault.InvalidArgument, "an access control list that lacks an entry");
        }
    }
}

/// <summary>Whom an entry is about; the values are those of the attribute.</summary>
internal enum AccessControlTag : ushort
{
    UserOwner = 0x01,
    User = 0x02,
    GroupOwner = 0x04,
    Group = 0x08,
    Mask = 0x10,
    Other = 0x20,
}

/// <summary>One entry of an <see cref="AccessControlList"/>.</summary>
internal readonly record struct AccessControlEntry(AccessControlTag Tag, ushort Permissions, uint Id);
