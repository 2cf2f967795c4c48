using Penstock.Execution;

namespace Penstock.Files;

/// <summary>
/// Rule 2.21: a write or truncate takes setuid, setgid (where the group may execute) and file capabilities away, as Linux does, so that nobody
/// can put his own program into another's privileges.
/// </summary>
internal static class Privileges
{
    private static readonly FileName s_capability = FileName.From("security.capability");

    /// <summary>Whether a write would have something to clear. Cheap.</summary>
    public static bool AreToBeCleared(Inode inode, bool keepsSetId = false) =>
        (!keepsSetId && HasModeBits(inode.Attributes.Mode)) || inode.MayHaveCapabilities;

    /// <summary>
    /// Clears them. The inode lock is held exclusively. For somebody outside the file's group (<paramref name="isOutsider"/>) setgid goes in any case.
    /// </summary>
    public static async ValueTask ClearAsync(Inode inode, bool keepsSetId = false, bool isOutsider = false)
    {
        if (inode.FileSystem.Scheduler.IsBroken(Rule.WriteClearsPrivileges))
        {
            return;
        }

        if (!keepsSetId && BitsToClear(inode.Attributes.Mode, isOutsider) != 0)
        {
            inode.Change(isOutsider, static (ref InodeAttributes a, bool outside) => a.Mode = (ushort)(a.Mode & ~BitsToClear(a.Mode, outside)));
        }

        if (inode.MayHaveCapabilities && await inode.GetAttributeAsync(s_capability).ConfigureAwait(false) is not null)
        {
            await inode.SetAttributeAsync(s_capability, null, AttributeCondition.None).ConfigureAwait(false);
        }
    }

    /// <summary>Whether a file of this mode has set-id bits to clear.</summary>
    public static bool HasModeBits(ushort mode) => BitsToClear(mode) != 0;

    /// <summary>Setgid without group execute marks mandatory locking, not a privilege, and stays.</summary>
    private static int BitsToClear(ushort mode, bool isOutsider = false)
    {
        int bits = mode & ModeBits.SetUid;
        if (isOutsider || (mode & ModeBits.GroupExecute) != 0)
        {
            bits |= mode & ModeBits.SetGid;
        }

        return bits;
    }
}
