namespace Penstock.Files;

/// <summary>A rename whose parties are found and locked.</summary>
internal readonly record struct RenameRequest
{
    public required Inode FromDirectory { get; init; }

    public required FileName FromName { get; init; }

    /// <summary>What moves.</summary>
    public required Inode Source { get; init; }

    public required Inode ToDirectory { get; init; }

    public required FileName ToName { get; init; }

    /// <summary>What has the new name already, or null: it is replaced, or exchanged.</summary>
    public Inode? Target { get; init; }

    /// <summary>What gets the old name, or null: an inode without a name, which the rename gives it.</summary>
    public Inode? Whiteout { get; init; }

    /// <summary>Whether source and target swap names (RENAME_EXCHANGE).</summary>
    public bool IsExchange { get; init; }
}
