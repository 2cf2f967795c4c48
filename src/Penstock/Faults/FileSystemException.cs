namespace Penstock;

/// <summary>A file operation failed for a reason that POSIX names; <see cref="Fault"/> tells which.</summary>
public class FileSystemException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="fault">The reason.</param>
    /// <param name="message">What failed, on which path or object.</param>
    /// <param name="inner">The cause, if another exception was.</param>
    public FileSystemException(IoFault fault, string? message = null, Exception? inner = null)
        : base(message ?? fault.Describe(), inner) => Fault = fault;

    /// <summary>The reason.</summary>
    public IoFault Fault { get; }
}
