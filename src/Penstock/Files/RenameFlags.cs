namespace Penstock.Files;

/// <summary>How a rename treats what has the new name already; the values are Linux's.</summary>
[Flags]
internal enum RenameFlags
{
    None = 0,

    /// <summary>Exists, if the new name is taken (RENAME_NOREPLACE).</summary>
    NoReplace = 1,

    /// <summary>Both names swap what they lead to; both must exist (RENAME_EXCHANGE).</summary>
    Exchange = 2,

    /// <summary>The old name does not go, but leads to a character device 0:0, by which overlay file systems say that it is gone (RENAME_WHITEOUT).</summary>
    Whiteout = 4,
}
