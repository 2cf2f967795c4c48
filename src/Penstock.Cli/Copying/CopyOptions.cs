namespace Penstock.Cli.Copying;

/// <summary>What a copy takes along.</summary>
internal sealed record CopyOptions
{
    /// <summary>Directories with what is in them.</summary>
    public bool IsRecursive { get; init; }

    /// <summary>Owner, times and exact permissions.</summary>
    public bool KeepsDetails { get; init; }

    /// <summary>Extended attributes.</summary>
    public bool KeepsAttributes { get; init; }

    /// <summary>Several names of one file stay one file.</summary>
    public bool KeepsHardLinks { get; init; }

    /// <summary>Symbolic links are replaced by what they lead to.</summary>
    public bool FollowsLinks { get; init; }

    /// <summary>What exists is left as it is.</summary>
    public bool ReplacesNothing { get; init; }

    /// <summary>Everything: what <c>cp -a</c> and <c>mkfs -d</c> keep.</summary>
    public static CopyOptions Archive { get; } =
        new() { IsRecursive = true, KeepsDetails = true, KeepsAttributes = true, KeepsHardLinks = true };
}
