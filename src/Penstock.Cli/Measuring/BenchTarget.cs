namespace Penstock.Cli.Measuring;

/// <summary>The file that is measured. Requests move whole blocks or throw.</summary>
internal abstract class BenchTarget : IAsyncDisposable
{
    /// <summary>Which path to the bytes is in use.</summary>
    public abstract string Device { get; }

    public abstract long Length { get; }

    public abstract ValueTask<int> ReadAsync(Memory<byte> buffer, long offset);

    public abstract ValueTask<int> WriteAsync(ReadOnlyMemory<byte> buffer, long offset);

    /// <summary>Memory that is registered with the kernel for the file's device.</summary>
    /// <exception cref="IOException">There is none to be had.</exception>
    public virtual AlignedBuffer RentBuffer(int length) => throw new IOException($"no registered memory: {Device} is not the library's own path");

    /// <summary>As <see cref="ReadAsync"/>, blocking.</summary>
    public abstract int Read(Memory<byte> buffer, long offset);

    /// <summary>As <see cref="WriteAsync"/>, blocking.</summary>
    public abstract int Write(ReadOnlyMemory<byte> buffer, long offset);

    public abstract ValueTask FlushAsync();

    /// <summary>As <see cref="FlushAsync"/>, blocking.</summary>
    public abstract void Flush();

    public abstract ValueTask DisposeAsync();
}
