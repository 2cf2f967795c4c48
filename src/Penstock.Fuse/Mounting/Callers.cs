using System.Globalization;
using Penstock.Files;
using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Mounting;

/// <summary>What a request does not say of its caller.</summary>
internal static class Callers
{
    /// <summary>
    /// Whether the caller must not keep setgid on a file whose group may not execute it, because he is not in that group. The kernel knows, and does not say; so
    /// it is looked up, for such files only. Who cannot be looked up, being gone or hidden, counts as outside.
    /// </summary>
    public static bool IsOutsideGroup(in FuseInHeader caller, Inode inode)
    {
        InodeAttributes attributes = inode.Attributes;
        bool isMarked = inode.Kind == FileKind.Regular && (attributes.Mode & ModeBits.SetGid) != 0;
        return isMarked && caller.Uid != 0 && caller.Gid != attributes.GroupId && !HasSupplementaryGroup(caller.Pid, attributes.GroupId);
    }

    private static bool HasSupplementaryGroup(uint process, uint group)
    {
        const string Key = "Groups:";
        try
        {
            foreach (string line in File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/status")))
            {
                if (line.StartsWith(Key, StringComparison.Ordinal))
                {
                    string wanted = group.ToString(CultureInfo.InvariantCulture);
                    return line[Key.Length..].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Contains(wanted);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }

        return false;
    }
}
