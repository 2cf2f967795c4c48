namespace Penstock.Ext4.Format;

/// <summary>Between the full name of an attribute, as programs use it, and the prefix number and suffix that the volume stores.</summary>
internal static class AttributeName
{
    public const string AccessAcl = "system.posix_acl_access";
    public const string DefaultAcl = "system.posix_acl_default";

    /// <summary>The suffix of the attribute of the system namespace that continues inline contents.</summary>
    public const string InlineContents = "data";

    private static readonly (AttributeNamespace Namespace, string Prefix, bool IsWhole)[] Prefixes =
    [
        (AttributeNamespace.PosixAclAccess, AccessAcl, true),
        (AttributeNamespace.PosixAclDefault, DefaultAcl, true),
        (AttributeNamespace.RichAcl, "system.richacl", true),
        (AttributeNamespace.User, "user.", false),
        (AttributeNamespace.Trusted, "trusted.", false),
        (AttributeNamespace.Security, "security.", false),
        (AttributeNamespace.System, "system.", false),
        (AttributeNamespace.Lustre, "lustre.", false),
        (AttributeNamespace.Hurd, "gnu.", false),
    ];

    /// <summary>Splits a full name; false if its prefix has no number.</summary>
    public static bool TrySplit(string fullName, out AttributeNamespace space, out string suffix)
    {
        foreach ((AttributeNamespace candidate, string prefix, bool isWhole) in Prefixes)
        {
            bool matches = isWhole ? fullName == prefix : fullName.StartsWith(prefix, StringComparison.Ordinal) && fullName.Length > prefix.Length;
            if (matches)
            {
                (space, suffix) = (candidate, isWhole ? string.Empty : fullName[prefix.Length..]);
                return true;
            }
        }

        (space, suffix) = (AttributeNamespace.None, fullName);
        return false;
    }

    /// <summary>The full name; null for those that programs never see: the encryption context and unknown prefixes.</summary>
    public static string? Join(AttributeNamespace space, string suffix)
    {
        foreach ((AttributeNamespace candidate, string prefix, bool isWhole) in Prefixes)
        {
            if (candidate == space)
            {
                return isWhole ? prefix : prefix + suffix;
            }
        }

        return null;
    }
}
