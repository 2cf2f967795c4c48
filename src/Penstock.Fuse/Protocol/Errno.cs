namespace Penstock.Fuse.Protocol;

/// <summary>An errno as the wire carries it: 0 or a positive number here, negated in the reply header.</summary>
/// <param name="Value">The Linux number, the same on every architecture that .NET runs on.</param>
internal readonly record struct Errno(int Value)
{
    public static readonly Errno None = new(0);
    public static readonly Errno EPERM = new(1);
    public static readonly Errno ENOENT = new(2);
    public static readonly Errno EINTR = new(4);
    public static readonly Errno EIO = new(5);
    public static readonly Errno ENXIO = new(6);
    public static readonly Errno E2BIG = new(7);
    public static readonly Errno EBADF = new(9);
    public static readonly Errno EAGAIN = new(11);
    public static readonly Errno ENOMEM = new(12);
    public static readonly Errno EACCES = new(13);
    public static readonly Errno EBUSY = new(16);
    public static readonly Errno EEXIST = new(17);
    public static readonly Errno EXDEV = new(18);
    public static readonly Errno ENODEV = new(19);
    public static readonly Errno ENOTDIR = new(20);
    public static readonly Errno EISDIR = new(21);
    public static readonly Errno EINVAL = new(22);
    public static readonly Errno ENOTTY = new(25);
    public static readonly Errno ETXTBSY = new(26);
    public static readonly Errno EFBIG = new(27);
    public static readonly Errno ENOSPC = new(28);
    public static readonly Errno EROFS = new(30);
    public static readonly Errno EMLINK = new(31);
    public static readonly Errno ERANGE = new(34);
    public static readonly Errno ENAMETOOLONG = new(36);
    public static readonly Errno ENOSYS = new(38);
    public static readonly Errno ENOTEMPTY = new(39);
    public static readonly Errno ELOOP = new(40);
    public static readonly Errno ENODATA = new(61);
    public static readonly Errno EPROTO = new(71);
    public static readonly Errno EOVERFLOW = new(75);
    public static readonly Errno EOPNOTSUPP = new(95);
    public static readonly Errno ECONNABORTED = new(103);
    public static readonly Errno ENOTCONN = new(107);
    public static readonly Errno ESTALE = new(116);
    public static readonly Errno EUCLEAN = new(117);
    public static readonly Errno EDQUOT = new(122);

    public bool IsNone => Value == 0;

    public static implicit operator Errno(IoFault fault) => From(fault);

    /// <summary>The number for a fault of the core; a fault without one of its own is EIO.</summary>
    public static Errno From(IoFault fault) => fault switch
    {
        IoFault.None => None,
        IoFault.DeviceFailed => EIO,
        IoFault.NoSpace => ENOSPC,
        IoFault.QuotaExceeded => EDQUOT,
        IoFault.InvalidArgument => EINVAL,
        IoFault.FileTooLarge => EFBIG,
        IoFault.NotSupported => EOPNOTSUPP,
        IoFault.ReadOnly => EROFS,
        IoFault.Corrupt => EUCLEAN,
        // A request is cancelled only because the kernel asked for it: a signal came (FUSE_INTERRUPT).
        IoFault.Cancelled => EINTR,
        IoFault.NoMemory => ENOMEM,
        IoFault.NotFound => ENOENT,
        IoFault.Exists => EEXIST,
        IoFault.NotADirectory => ENOTDIR,
        IoFault.IsADirectory => EISDIR,
        IoFault.NotEmpty => ENOTEMPTY,
        IoFault.NameTooLong => ENAMETOOLONG,
        IoFault.TooManyLinks => EMLINK,
        IoFault.TooManySymlinks => ELOOP,
        IoFault.NotPermitted => EPERM,
        IoFault.AccessDenied => EACCES,
        IoFault.CrossesVolumes => EXDEV,
        IoFault.NoAttribute => ENODATA,
        IoFault.BufferTooSmall => ERANGE,
        IoFault.NoSuchRange => ENXIO,
        IoFault.Busy => EBUSY,
        IoFault.BadHandle => EBADF,
        IoFault.Stale => ESTALE,
        IoFault.Overflow => EOVERFLOW,
        IoFault.ArgumentTooBig => E2BIG,
        IoFault.UnknownRequest => ENOTTY,
        IoFault.WouldBlock => EAGAIN,
        IoFault.TextBusy => ETXTBSY,
        _ => EIO,
    };

    /// <summary>The number for an exception that left a handler.</summary>
    public static Errno From(Exception exception) => exception switch
    {
        FileSystemException { Fault: not IoFault.None } known => From(known.Fault),
        OperationCanceledException => EINTR,
        OutOfMemoryException => ENOMEM,
        _ => EIO,
    };

    /// <summary>The fault for a number that a system call returned while mounting.</summary>
    public IoFault ToFault() => Value switch
    {
        0 => IoFault.None,
        1 => IoFault.NotPermitted,
        2 => IoFault.NotFound,
        12 => IoFault.NoMemory,
        13 => IoFault.AccessDenied,
        16 => IoFault.Busy,
        17 => IoFault.Exists,
        19 => IoFault.NotSupported,
        20 => IoFault.NotADirectory,
        22 => IoFault.InvalidArgument,
        _ => IoFault.DeviceFailed,
    };

    public override string ToString() => $"errno {Value}";
}
