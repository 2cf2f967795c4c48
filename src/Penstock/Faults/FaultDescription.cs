namespace Penstock;

/// <summary>One sentence for each fault, in the words users know from their shell.</summary>
internal static class FaultDescription
{
    public static string Describe(this IoFault fault) => fault switch
    {
        IoFault.None => "success",
        IoFault.DeviceFailed => "input/output error",
        IoFault.NoSpace => "no space left on the volume",
        IoFault.QuotaExceeded => "disk quota exceeded",
        IoFault.InvalidArgument => "invalid argument",
        IoFault.FileTooLarge => "file too large",
        IoFault.NotSupported => "operation not supported",
        IoFault.ReadOnly => "read-only file system",
        IoFault.Corrupt => "the volume is damaged",
        IoFault.Cancelled => "operation cancelled",
        IoFault.NoMemory => "out of memory",
        IoFault.NotFound => "no such file or directory",
        IoFault.Exists => "file exists",
        IoFault.NotADirectory => "not a directory",
        IoFault.IsADirectory => "is a directory",
        IoFault.NotEmpty => "directory not empty",
        IoFault.NameTooLong => "file name too long",
        IoFault.TooManyLinks => "too many links",
        IoFault.TooManySymlinks => "too many levels of symbolic links",
        IoFault.NotPermitted => "operation not permitted",
        IoFault.AccessDenied => "permission denied",
        IoFault.CrossesVolumes => "invalid cross-device link",
        IoFault.NoAttribute => "no such attribute",
        IoFault.BufferTooSmall => "buffer too small",
        IoFault.NoSuchRange => "no such data or hole",
        IoFault.Busy => "device or resource busy",
        IoFault.BadHandle => "bad file handle",
        IoFault.Stale => "stale file handle",
        IoFault.Overflow => "value too large",
        IoFault.ArgumentTooBig => "argument list too long",
        IoFault.UnknownRequest => "inappropriate request",
        IoFault.WouldBlock => "the operation would block",
        IoFault.TextBusy => "text file busy",
        _ => fault.ToString(),
    };
}
