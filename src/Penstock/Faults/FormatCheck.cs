using System.Runtime.CompilerServices;

namespace Penstock;

/// <summary>One rule about one field of a structure: what every parser of this folder asks before it hands a value on.</summary>
internal static class FormatCheck
{
    /// <param name="holds">Whether the rule holds.</param>
    /// <param name="structure">The structure, in the format's own word.</param>
    /// <param name="location">Where it is; made into text only if the rule is broken.</param>
    /// <param name="field">The field, by the format's own name.</param>
    /// <param name="found">The value found, and what was expected.</param>
    /// <exception cref="CorruptVolumeException">The rule is broken.</exception>
    public static void Require<TLocation>(
        bool holds, string structure, TLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found)
    {
        if (!holds)
        {
            throw new CorruptVolumeException(structure, location?.ToString() ?? string.Empty, field, found.ToString());
        }
    }
}
