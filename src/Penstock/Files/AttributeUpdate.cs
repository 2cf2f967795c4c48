namespace Penstock.Files;

/// <summary>What a chmod, chown or utimens changes; what is null stays.</summary>
internal readonly record struct AttributeUpdate
{
    /// <summary>The permissions; the kind of the file stays whatever the other bits say.</summary>
    public ushort? Mode { get; init; }

    public uint? UserId { get; init; }

    public uint? GroupId { get; init; }

    public TimeUpdate? AccessTime { get; init; }

    public TimeUpdate? ModifyTime { get; init; }

    /// <summary>Whether setuid, setgid and capabilities go, as they do with every change of the owner, though nothing else may change.</summary>
    public bool ClearsPrivileges { get; init; }

    /// <summary>
    /// With <see cref="ClearsPrivileges"/>: whether setgid goes even where the group may not execute. It does for a caller who is not in the group.
    /// </summary>
    public bool IsByOutsider { get; init; }

    public bool ChangesOwner => UserId is not null || GroupId is not null;

    /// <summary>Whether it sets nothing but times, and those to the present: what an append-only file still allows.</summary>
    public bool IsTouch => Mode is null && !ChangesOwner && AccessTime is null or { IsNow: true } && ModifyTime is null or { IsNow: true };
}

/// <summary>A time to set: the present, or a given one.</summary>
internal readonly record struct TimeUpdate(Timestamp Time, bool IsNow)
{
    public static TimeUpdate Now => new(default, IsNow: true);

    public static TimeUpdate At(Timestamp time) => new(time, IsNow: false);
}
