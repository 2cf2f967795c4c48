using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>What a system call returned: a count, or an error. Never an exception.</summary>
/// <param name="Raw">The count, or the negated error number, as the kernel itself returns it.</param>
internal readonly record struct CallResult(long Raw)
{
    public bool IsError => Raw < 0;

    public Errno Error => Raw < 0 ? (Errno)(int)-Raw : Errno.None;

    /// <summary>The count; meaningful only where <see cref="IsError"/> is false.</summary>
    public long Value => Raw;

    /// <summary>Turns the C library's convention (-1 and errno) into the kernel's.</summary>
    public static CallResult FromLibrary(long returned) =>
        returned == -1 ? new CallResult(-(long)Marshal.GetLastPInvokeError()) : new CallResult(returned);
}
