using Penstock.Execution;

namespace Penstock.Files;

/// <summary>
/// The locks under which blocks leave a file or change their place, below the inode lock: first the direct-I/O gate, which drains direct I/O and
/// blocks new starts (Rules 1.21 and 2.8), then the invalidation lock, which does the same for fills of the page cache (Rule 2.9). Between the two,
/// edges of the range are zeroed through the cache, which fills pages.
/// </summary>
internal sealed class RemovalLocks(Inode inode)
{
    private bool _holdsGate;
    private bool _holdsInvalidation;

    /// <summary>Drains direct I/O. The inode lock is held exclusively. <paramref name="rule"/> is the rule that asks for it.</summary>
    public async ValueTask DrainAsync(Rule rule)
    {
        if (!inode.FileSystem.Scheduler.IsBroken(rule))
        {
            await inode.Gate.AcquireExclusiveAsync().ConfigureAwait(false);
            _holdsGate = true;
        }
    }

    /// <summary>Excludes fills of the page cache.</summary>
    public async ValueTask ExcludeFillsAsync()
    {
        if (!inode.FileSystem.Scheduler.IsBroken(Rule.RemovalExcludesFills))
        {
            await inode.Invalidation.AcquireExclusiveAsync().ConfigureAwait(false);
            _holdsInvalidation = true;
            inode.FileSystem.Removals.Add(inode);
        }
    }

    /// <summary>Releases what is held, in reverse.</summary>
    public void Release()
    {
        if (_holdsInvalidation)
        {
            inode.FileSystem.Removals.Remove(inode);
            inode.Invalidation.ReleaseExclusive();
            _holdsInvalidation = false;
        }

        if (_holdsGate)
        {
            inode.Gate.ReleaseExclusive();
            _holdsGate = false;
        }
    }
}
