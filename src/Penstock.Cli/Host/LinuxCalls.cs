using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Penstock.Cli.Host;

/// <summary>The system calls of the host that the base class library does not have. Results are as the C library's: -1 is a failure.</summary>
internal static partial class LinuxCalls
{
    public const int FollowNoLink = 0x100;
    public const int CurrentDirectory = -100;
    public const int SeekData = 3;
    public const int SeekHole = 4;
    public const int DetachLazily = 2;
    public const int NoSuchRange = 6;
    public const int NotSupported = 95;
    public const int NotPermitted = 1;
    public const int InvalidArgument = 22;

    private const int CloseOnExecute = 0x80000;

    private const uint BasicFields = 0x7FF;
    private const uint BirthField = 0x800;

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "getegid")]
    public static partial uint EffectiveGroupId();

    [LibraryImport("libc", EntryPoint = "isatty")]
    public static partial int IsTerminal(int descriptor);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int descriptor, Span<byte> buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, ReadOnlySpan<byte> buffer, nint length);

    [LibraryImport("libc", EntryPoint = "setsid")]
    public static partial int BeginSession();

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    public static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int SetDescriptorFlags(int descriptor, int command, int flags);

    /// <summary>Whether this user may make files in a directory.</summary>
    public static bool MayWrite(string directory) => CheckAccess(directory, 2 | 1) == 0;

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CheckAccess(string path, int mode);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unmount(string path, int flags);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeOwner(string path, uint user, uint group);

    /// <summary>Opens a file for reading. None of the host's own locks of files is taken, which .NET would.</summary>
    public static SafeFileHandle OpenForReading(string path) => Open(path, CloseOnExecute, 0);

    /// <summary>Makes a file, or empties the one that is there, and opens it for writing.</summary>
    public static SafeFileHandle OpenForWriting(string path, UnixFileMode permissions) => Open(path, CloseOnExecute | 0x40 | 0x200 | 1, (uint)permissions);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Link(string existing, string path);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeNode(string path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(SafeHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "llistxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ListAttributes(string path, Span<byte> names, nint size);

    [LibraryImport("libc", EntryPoint = "lgetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint GetAttribute(string path, string name, Span<byte> value, nint size);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetAttribute(string path, string name, ReadOnlySpan<byte> value, nint size, int flags);

    /// <summary>Sets both times of a file, of a symbolic link itself.</summary>
    public static int SetTimes(string path, Timestamp access, Timestamp modify)
    {
        Span<TimeSpec> times = [new TimeSpec(access), new TimeSpec(modify)];
        return SetTimes(CurrentDirectory, path, times, FollowNoLink);
    }

    public static int GetStatus(string path, bool followLink, out HostStatus status) =>
        GetStatus(CurrentDirectory, path, followLink ? 0 : FollowNoLink, BasicFields | BirthField, out status);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetTimes(int directory, string path, ReadOnlySpan<TimeSpec> times, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int GetStatus(int directory, string path, int flags, uint mask, out HostStatus status);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct TimeSpec(Timestamp time)
    {
        private readonly long _seconds = time.Seconds;
        private readonly long _nanoseconds = time.Nanoseconds;
    }
}

/// <summary><c>struct statx</c>: 256 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal readonly struct HostStatus
{
    [FieldOffset(16)]
    public readonly uint Links;

    [FieldOffset(20)]
    public readonly uint UserId;

    [FieldOffset(24)]
    public readonly uint GroupId;

    [FieldOffset(28)]
    public readonly ushort Mode;

    [FieldOffset(32)]
    public readonly ulong InodeNumber;

    [FieldOffset(40)]
    public readonly long Length;

    [FieldOffset(48)]
    public readonly long Sectors;

    [FieldOffset(64)]
    private readonly HostTime _access;

    [FieldOffset(112)]
    private readonly HostTime _modify;

    [FieldOffset(128)]
    public readonly uint DeviceMajor;

    [FieldOffset(132)]
    public readonly uint DeviceMinor;

    [FieldOffset(136)]
    public readonly uint HostMajor;

    [FieldOffset(140)]
    public readonly uint HostMinor;

    public Timestamp AccessTime => _access.ToTimestamp();

    public Timestamp ModifyTime => _modify.ToTimestamp();

    [StructLayout(LayoutKind.Sequential, Size = 16)]
    private readonly struct HostTime
    {
        private readonly long _seconds;
        private readonly uint _nanoseconds;

        public Timestamp ToTimestamp() => new(_seconds, (int)_nanoseconds);
    }
}
