namespace Penstock.Uring;

/// <summary>Advisory locks. Both kinds belong to the open file description and end with it, even when the process is killed.</summary>
internal sealed unsafe partial class HostFile
{
    private const int FlockShared = 1;
    private const int FlockExclusive = 2;
    private const int FlockNonBlocking = 4;
    private const int FlockUnlock = 8;
    private const int SetDescriptionLock = 37;
    private const short ReadLock = 0;
    private const short WriteLock = 1;

    /// <summary>flock(2) without waiting: EAGAIN if another open file description holds it in a way that excludes this.</summary>
    public Errno TryLock(FileLockKind kind)
    {
        int operation = FlockNonBlocking | (kind == FileLockKind.Shared ? FlockShared : FlockExclusive);
        return CallResult.FromLibrary(LibC.Flock(this, operation)).Error;
    }

    /// <summary>Gives a lock of <see cref="TryLock"/> up now, even where a ring or a forked process still refers to the open file.</summary>
    public void Unlock() => LibC.Flock(this, FlockUnlock);

    /// <summary>
    /// fcntl(2) F_OFD_SETLK over the whole file, without waiting: EAGAIN (or EACCES) if another excludes this. A shared lock needs a file
    /// open for reading, an exclusive one a file open for writing. QEMU and others use these.
    /// </summary>
    public Errno TryLockDescription(FileLockKind kind)
    {
        var region = new FileRegionLock { Type = kind == FileLockKind.Shared ? ReadLock : WriteLock };
        return CallResult.FromLibrary(LibC.Fcntl(this, SetDescriptionLock, &region)).Error;
    }
}
