namespace Penstock;

/// <summary>A structure on the volume contradicts its format. Nothing was written because of it.</summary>
public sealed class CorruptVolumeException : FileSystemException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="structure">The structure, in the format's own word: "superblock", "extent header", "inode".</param>
    /// <param name="location">Where it is: "block 1234", "inode 12", "inode 12, block 3, offset 60".</param>
    /// <param name="field">The field, by the format's own name: "eh_entries", "s_magic", "checksum".</param>
    /// <param name="value">The value found, and the value or range expected where that helps.</param>
    public CorruptVolumeException(string structure, string location, string field, string value)
        : base(IoFault.Corrupt, $"corrupt {structure} at {location}: {field} is {value}")
    {
        Structure = structure;
        Location = location;
        Field = field;
        Value = value;
    }

    /// <summary>The damaged structure.</summary>
    public string Structure { get; }

    /// <summary>Where the structure is on the volume.</summary>
    public string Location { get; }

    /// <summary>The field that is wrong.</summary>
    public string Field { get; }

    /// <summary>The value found.</summary>
    public string Value { get; }
}
