using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Measuring;

/// <summary>A file through this library: one of a volume in this process, or, direct, one of the host.</summary>
internal sealed class OpenFileTarget : BenchTarget
{
    private readonly OpenFile _file;
    private readonly string _device;
    private readonly Func<ValueTask> _close;

    private OpenFileTarget(OpenFile file, string device, Func<ValueTask> close)
    {
        _file = file;
        _device = device;
        _close = close;
    }

    public override string Device => _device;

    public override long Length => _file.Length;

    /// <summary>Opens a file of a volume, made if absent.</summary>
    public static async ValueTask<OpenFileTarget> OpenAsync(Terminal terminal, VolumePath path, IoOptions options, CancellationToken cancellationToken)
    {
        Volume volume = await VolumeAccess.OpenForWritingAsync(terminal, path.Volume, cancellationToken);
        try
        {
            OpenFile file = await volume.OpenFileAsync(
                path.Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, options, cancellationToken: cancellationToken);
            return new OpenFileTarget(file, $"{volume.FormatName} in process on {volume.DeviceDescription}", volume.DisposeAsync);
        }
        catch
        {
            await volume.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a file of the host as the engine opens an image. It must have its length already: a device does not grow.</summary>
    public static async ValueTask<OpenFileTarget> OpenHostAsync(string path, IoOptions options)
    {
        OpenFile file = await OpenFile.OpenDeviceAsync(path, FileAccess.ReadWrite, options);
        return new OpenFileTarget(file, $"file of the host on {file.DeviceDescription}", static () => ValueTask.CompletedTask);
    }

    public override AlignedBuffer RentBuffer(int length)
    {
        AlignedBuffer buffer = _file.RentBuffer(length);
        if (buffer.PlainReason is not { } reason)
        {
            return buffer;
        }

        ((IDisposable)buffer).Dispose();
        throw new IOException($"no registered memory: {reason}");
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, long offset) => _file.ReadAsync(buffer, offset);

    public override ValueTask<int> WriteAsync(ReadOnlyMemory<byte> buffer, long offset) => _file.WriteAsync(buffer, offset);

    public override int Read(Memory<byte> buffer, long offset) => _file.Read(buffer, offset);

    public override int Write(ReadOnlyMemory<byte> buffer, long offset) => _file.Write(buffer, offset);

    public override ValueTask FlushAsync() => _file.FlushAsync();

    public override void Flush() => _file.FlushAsync().AsTask().GetAwaiter().GetResult();

    public override async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync();
        await _close();
    }
}
