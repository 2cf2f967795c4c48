namespace Penstock.Files;

/// <summary>What a caller asks a directory to make; the <see cref="Namespace"/> turns it into a <see cref="NewInode"/>.</summary>
internal readonly record struct NewNode
{
    /// <summary>Kind and permissions as asked for, before umask and inheritance.</summary>
    public required ushort Mode { get; init; }

    public required uint UserId { get; init; }

    public required uint GroupId { get; init; }

    /// <summary>The permissions to leave out, unless the directory has a default ACL, which then decides.</summary>
    public ushort Umask { get; init; }

    /// <summary>The number of a device file.</summary>
    public ulong DeviceNumber { get; init; }

    /// <summary>The target of a symbolic link, else empty.</summary>
    public ReadOnlyMemory<byte> LinkTarget { get; init; }
}
