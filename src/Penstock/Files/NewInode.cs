namespace Penstock.Files;

/// <summary>What is to be made by a create, mkdir, mknod or symlink.</summary>
internal readonly record struct NewInode
{
    /// <summary>Kind and permissions, umask and inheritance applied.</summary>
    public required ushort Mode { get; init; }

    public required uint UserId { get; init; }

    public required uint GroupId { get; init; }

    /// <summary>The number of a device file.</summary>
    public ulong DeviceNumber { get; init; }

    /// <summary>The target of a symbolic link, else empty.</summary>
    public ReadOnlyMemory<byte> LinkTarget { get; init; }

    /// <summary>The value of system.posix_acl_access, inherited, or null.</summary>
    public ReadOnlyMemory<byte>? AccessAcl { get; init; }

    /// <summary>The value of system.posix_acl_default, inherited, or null.</summary>
    public ReadOnlyMemory<byte>? DefaultAcl { get; init; }
}
