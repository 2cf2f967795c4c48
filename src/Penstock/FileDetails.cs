using Penstock.Files;

namespace Penstock;

/// <summary>What <c>stat</c> tells of a file.</summary>
public sealed record FileDetails
{
    internal FileDetails(Inode inode)
    {
        InodeAttributes attributes = inode.Attributes;
        InodeNumber = inode.Number.Value;
        Kind = inode.Kind;
        Permissions = (UnixFileMode)(attributes.Mode & ModeBits.PermissionMask);
        Links = attributes.Links;
        UserId = attributes.UserId;
        GroupId = attributes.GroupId;
        Length = inode.Size;
        AllocatedBytes = (long)inode.SectorsTold * 512;
        AccessTime = attributes.AccessTime;
        ModifyTime = attributes.ModifyTime;
        ChangeTime = attributes.ChangeTime;
        BirthTime = attributes.BirthTime;
        DeviceNumber = attributes.DeviceNumber;
        Generation = attributes.Generation;
    }

    /// <summary>The inode.</summary>
    public ulong InodeNumber { get; }

    /// <summary>What kind of file it is.</summary>
    public FileKind Kind { get; }

    /// <summary>The permissions, with setuid, setgid and sticky.</summary>
    public UnixFileMode Permissions { get; }

    /// <summary>How many names it has.</summary>
    public uint Links { get; }

    /// <summary>The owner.</summary>
    public uint UserId { get; }

    /// <summary>The group.</summary>
    public uint GroupId { get; }

    /// <summary>The size in bytes.</summary>
    public long Length { get; }

    /// <summary>What it takes on the volume, in bytes.</summary>
    public long AllocatedBytes { get; }

    /// <summary>When it was last read.</summary>
    public Timestamp AccessTime { get; }

    /// <summary>When its content last changed.</summary>
    public Timestamp ModifyTime { get; }

    /// <summary>When anything of it last changed.</summary>
    public Timestamp ChangeTime { get; }

    /// <summary>When it was made; the epoch where the volume does not record it.</summary>
    public Timestamp BirthTime { get; }

    /// <summary>The number of a device file, in Linux's encoding.</summary>
    public ulong DeviceNumber { get; }

    /// <summary>Tells apart files that had the same inode number one after the other.</summary>
    public uint Generation { get; }
}
