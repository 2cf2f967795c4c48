using System.Runtime.InteropServices;
using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>System calls that only a test of files needs. Results are as the C library's: -1 is a failure.</summary>
internal static unsafe partial class LinuxCalls
{
    public const int SeekData = 3;
    public const int SeekHole = 4;
    public const int AdviceDontNeed = 4;
    public const int ReadAndWrite = 3;
    public const int Shared = 1;
    public const int SynchronousMap = 4;

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    public static partial nint CopyRange(HostFile from, ref long offset, HostFile to, ref long targetOffset, nint length, uint flags);

    /// <summary>Returns the error number itself.</summary>
    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    public static partial int Advise(HostFile file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(HostFile file);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(HostFile file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nint length, int protection, int flags, HostFile file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nint length);

    [LibraryImport("libc", EntryPoint = "msync", SetLastError = true)]
    public static partial int SyncMap(nint address, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int CreateMemoryFile(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint Read(int file, void* memory, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint Write(int file, void* memory, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);
}
