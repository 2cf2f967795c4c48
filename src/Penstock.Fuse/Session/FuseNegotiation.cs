using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Session;

/// <summary>What a session asks of the kernel.</summary>
internal sealed record FuseSessionOptions
{
    /// <summary>The largest WRITE and READ in bytes; the kernel splits larger calls.</summary>
    public int MaxWrite { get; init; } = 1024 * 1024;

    /// <summary>Asynchronous requests in flight: 12, the kernel's default, throttles asynchronous direct I/O.</summary>
    public ushort MaxBackground { get; init; } = 256;

    /// <summary>The most that the kernel reads ahead; it may offer less.</summary>
    public uint MaxReadahead { get; init; } = 1024 * 1024;

    /// <summary>Threads that read requests.</summary>
    public int Readers { get; init; } = 2;

    /// <summary>Payload bytes in use from which on no further request is read.</summary>
    public long BufferLimit { get; init; } = 64L * 1024 * 1024;

    /// <summary>Lets the kernel collect buffered writes in its page cache. Errors then reach fsync less exactly: off unless asked for.</summary>
    public bool UsesWritebackCache { get; init; }

    /// <summary>Whether requests may come over io_uring: where the transport has rings to take them.</summary>
    public bool MayUseRing { get; init; }

    /// <summary>Lets the kernel check access by POSIX ACLs.</summary>
    public bool UsesPosixAcls { get; init; } = true;

    /// <summary>Told of an exception in a handler that is no <see cref="FileSystemException"/>: a defect. The caller gets EIO.</summary>
    public Action<Exception>? OnDefect { get; init; }
}

/// <summary>What was agreed on.</summary>
/// <param name="Minor">The protocol's minor version: the smaller of both sides.</param>
/// <param name="Flags">What both sides do.</param>
/// <param name="MaxWrite">The largest payload of one request in bytes.</param>
internal sealed record FuseConnection(uint Minor, FuseInitFlags Flags, int MaxWrite)
{
    public bool Has(FuseInitFlags flag) => (Flags & flag) == flag;
}

/// <summary>The handshake: a pure function from what the kernel offers and what we want to what we answer.</summary>
internal static class FuseNegotiation
{
    public const uint Major = 7;
    public const uint Minor = 45;

    /// <summary>7.33 (Linux 5.13) has the extended SETXATTR and the second version of dropping privileges, on which the mount relies.</summary>
    public const uint OldestMinor = 33;

    private const int PageSize = 4096;

    /// <summary>
    /// Wanted wherever the kernel offers them. Not wanted, and why: splice (the data is already where it must go), remote locks (the
    /// kernel's own are right for a volume that one machine mounts), automatic invalidation (every write changes the time, so
    /// each would drop the cache; we know each change and say so), opens of files without a request (an open file has state here).
    /// </summary>
    private const FuseInitFlags Wanted =
        FuseInitFlags.AsyncRead | FuseInitFlags.AtomicOTrunc | FuseInitFlags.BigWrites | FuseInitFlags.DontMask
        | FuseInitFlags.HasIoctlDir | FuseInitFlags.DoReadDirPlus | FuseInitFlags.ReadDirPlusAuto | FuseInitFlags.AsyncDio
        | FuseInitFlags.ParallelDirOps | FuseInitFlags.AbortError | FuseInitFlags.MaxPages | FuseInitFlags.CacheSymlinks
        | FuseInitFlags.ExplicitInvalData | FuseInitFlags.HandleKillPrivV2 | FuseInitFlags.SetXAttrExt | FuseInitFlags.InitExt
        | FuseInitFlags.ExportSupport | FuseInitFlags.CreateSuppGroup | FuseInitFlags.HasExpireOnly | FuseInitFlags.DirectIoAllowMmap | FuseInitFlags.NoOpenDirSupport;

    /// <summary>The flags of both words of an INIT request.</summary>
    public static FuseInitFlags Offered(in FuseInitIn request)
    {
        ulong flags = request.Flags;
        return (FuseInitFlags)((flags & (ulong)FuseInitFlags.InitExt) != 0 ? flags | ((ulong)request.Flags2 << 32) : flags);
    }

    /// <summary>Answers INIT. Null says that the kernel's version cannot be served.</summary>
    /// <param name="request">What the kernel says.</param>
    /// <param name="options">What we want.</param>
    /// <param name="reply">What to answer.</param>
    public static FuseConnection? Answer(in FuseInitIn request, FuseSessionOptions options, out FuseInitOut reply)
    {
        reply = new FuseInitOut { Major = Major, Minor = Minor };
        if (request.Major != Major || request.Minor < OldestMinor)
        {
            return null;
        }

        // Offered only where the administrator has switched it on.
        FuseInitFlags wanted = Wanted
            | (options.MayUseRing ? FuseInitFlags.OverIoUring : 0)
            | (options.UsesPosixAcls ? FuseInitFlags.PosixAcl : 0)
            | (options.UsesWritebackCache ? FuseInitFlags.WritebackCache : 0);
        FuseInitFlags agreed = wanted & Offered(request);
        int maxWrite = (agreed & FuseInitFlags.MaxPages) != 0 ? options.MaxWrite : Math.Min(options.MaxWrite, 32 * PageSize);
        reply.MaxReadahead = Math.Min(request.MaxReadahead, options.MaxReadahead);
        reply.Flags = (uint)agreed;
        reply.Flags2 = (uint)((ulong)agreed >> 32);
        reply.MaxBackground = options.MaxBackground;
        reply.CongestionThreshold = (ushort)(options.MaxBackground * 3 / 4);
        reply.MaxWrite = (uint)maxWrite;
        reply.MaxPages = (ushort)Math.Min(ushort.MaxValue, maxWrite / PageSize);
        reply.TimeGranularity = 1;
        return new FuseConnection(Math.Min(Minor, request.Minor), agreed, maxWrite);
    }
}
