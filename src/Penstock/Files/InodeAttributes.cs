namespace Penstock.Files;

/// <summary>What <c>stat</c> tells of an inode, except its size and its blocks, which change with less ceremony.</summary>
internal record struct InodeAttributes
{
    /// <summary>Kind and permissions, as in <c>st_mode</c>.</summary>
    public ushort Mode { get; set; }

    public uint UserId { get; set; }

    public uint GroupId { get; set; }

    public uint ProjectId { get; set; }

    public uint Links { get; set; }

    public Timestamp AccessTime { get; set; }

    public Timestamp ModifyTime { get; set; }

    public Timestamp ChangeTime { get; set; }

    public Timestamp BirthTime { get; set; }

    /// <summary>The number of a device file, in Linux's encoding (major and minor).</summary>
    public ulong DeviceNumber { get; set; }

    public uint Generation { get; set; }

    public FileFlags Flags { get; set; }
}
