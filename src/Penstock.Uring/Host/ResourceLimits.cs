namespace Penstock.Uring;

/// <summary>The limits of this process that matter to rings.</summary>
internal static unsafe class ResourceLimits
{
    private const int MemoryLockLimit = 8;

    /// <summary>RLIMIT_MEMLOCK, the soft limit, in bytes: how much may be pinned; <see cref="ulong.MaxValue"/> is unlimited.</summary>
    public static ulong LockedMemory
    {
        get
        {
            ResourceLimitPair limit = default;
            return LibC.GetResourceLimit(MemoryLockLimit, &limit) == 0 ? limit.Soft : 0;
        }
    }
}
