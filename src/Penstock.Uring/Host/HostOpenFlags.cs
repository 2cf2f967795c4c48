using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>How to open a host file. These are our own bits: the kernel's differ between architectures.</summary>
[Flags]
internal enum HostOpenFlags
{
    ReadOnly = 0,
    ReadWrite = 1,

    /// <summary>O_CREAT.</summary>
    Create = 2,

    /// <summary>O_EXCL: with <see cref="Create"/>, fail if it exists; on a block device without it, fail if the kernel or another holds it.</summary>
    Exclusive = 4,

    /// <summary>O_DIRECT.</summary>
    Direct = 8,

    /// <summary>O_TRUNC.</summary>
    Truncate = 16,

    /// <summary>O_NONBLOCK: opening a FIFO or a drive without a medium does not wait.</summary>
    NonBlocking = 32,

    /// <summary>O_APPEND: every write goes to the end.</summary>
    Append = 64,
}

/// <summary>The numbers behind <see cref="HostOpenFlags"/>.</summary>
internal static class OpenFlagNumbers
{
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int Exclusive = 0x80;
    private const int Truncate = 0x200;
    private const int Append = 0x400;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    // O_DIRECT is 040000 in asm-generic (x86_64) and 0200000 on arm64, where 040000 is O_DIRECTORY.
    private static readonly int s_direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    public static int Translate(HostOpenFlags flags)
    {
        int result = CloseOnExec;
        result |= flags.HasFlag(HostOpenFlags.ReadWrite) ? ReadWrite : 0;
        result |= flags.HasFlag(HostOpenFlags.Create) ? Create : 0;
        result |= flags.HasFlag(HostOpenFlags.Exclusive) ? Exclusive : 0;
        result |= flags.HasFlag(HostOpenFlags.Direct) ? s_direct : 0;
        result |= flags.HasFlag(HostOpenFlags.Truncate) ? Truncate : 0;
        result |= flags.HasFlag(HostOpenFlags.NonBlocking) ? NonBlocking : 0;
        result |= flags.HasFlag(HostOpenFlags.Append) ? Append : 0;
        return result;
    }
}
