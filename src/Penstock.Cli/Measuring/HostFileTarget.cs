using Microsoft.Win32.SafeHandles;

namespace Penstock.Cli.Measuring;

/// <summary>A file of the host through the kernel's page cache, as .NET reads and writes it.</summary>
internal sealed class HostFileTarget(SafeFileHandle handle) : BenchTarget
{
    public override string Device => "file of the host through the kernel's page cache (RandomAccess)";

    public override long Length => RandomAccess.GetLength(handle);

    /// <summary>Opens a file, made if absent.</summary>
    public static HostFileTarget Open(string path, bool isDataSync)
    {
        FileOptions options = FileOptions.Asynchronous | (isDataSync ? FileOptions.WriteThrough : FileOptions.None);
        return new HostFileTarget(File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite, options));
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, long offset) => RandomAccess.ReadAsync(handle, buffer, offset);

    public override async ValueTask<int> WriteAsync(ReadOnlyMemory<byte> buffer, long offset)
    {
        await RandomAccess.WriteAsync(handle, buffer, offset);
        return buffer.Length;
    }

    public override int Read(Memory<byte> buffer, long offset) => RandomAccess.Read(handle, buffer.Span, offset);

    public override int Write(ReadOnlyMemory<byte> buffer, long offset)
    {
        RandomAccess.Write(handle, buffer.Span, offset);
        return buffer.Length;
    }

    public override ValueTask FlushAsync()
    {
        Flush();
        return ValueTask.CompletedTask;
    }

    public override void Flush() => RandomAccess.FlushToDisk(handle);

    public override ValueTask DisposeAsync()
    {
        handle.Dispose();
        return ValueTask.CompletedTask;
    }
}
