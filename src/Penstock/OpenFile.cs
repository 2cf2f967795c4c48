using Penstock.Caching;
using Penstock.DirectIO;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Memory;

namespace Penstock;

/// <summary>
/// An open file. Every member may be called from any thread, any number of requests may be in flight at once, and direct and buffered requests on
/// one file see each other's data. Requests carry their offset; there is no file position.
/// </summary>
/// <remarks>
/// <para>A request that has been submitted owns the caller's memory until it completes: keep it alive and unchanged. Cancellation is
/// honoured up to the submission, never after it, so completion always means that the device no longer uses the memory.</para>
/// <para>In steady state no read or write allocates on the managed heap.</para>
/// </remarks>
public sealed partial class OpenFile : IAsyncDisposable, IDisposable
{
    private readonly FileAccess _access;
    private readonly ErrorCursor _errors;
    private readonly ReadaheadState _readahead = new();
    private readonly bool _isWriter;
    private int _options;
    private int _isClosed;

    internal OpenFile(Inode inode, FileAccess access, IoOptions options)
        : this(inode, access, options, (access & FileAccess.Write) != 0)
    {
    }

    /// <param name="inode">The file, with a reference that this now owns.</param>
    /// <param name="access">What requests are let through.</param>
    /// <param name="options">The options of requests that name none.</param>
    /// <param name="isWriter">Whether it is open for writing: for a mount, where the kernel judges requests, not all that <paramref name="access"/> lets through is.</param>
    internal OpenFile(Inode inode, FileAccess access, IoOptions options, bool isWriter)
    {
        Inode = inode;
        _access = access;
        _options = (int)options;
        _errors = inode.SampleErrors();
        _isWriter = isWriter;
        if (isWriter)
        {
            inode.AddWriter();
        }
    }

    /// <summary>The size in bytes, at this moment.</summary>
    public long Length => Inode.Size;

    /// <summary>The alignment of offsets and lengths for direct I/O, in bytes.</summary>
    public int DirectAlignment => Inode.FileSystem.Device.LogicalBlockSize;

    /// <summary>The alignment of memory for direct I/O, in bytes.</summary>
    public int DirectMemoryAlignment => Inode.FileSystem.Device.MemoryAlignment;

    /// <summary>Whether the file was opened for reading.</summary>
    public bool CanRead => (_access & FileAccess.Read) != 0;

    /// <summary>Whether the file was opened for writing.</summary>
    public bool CanWrite => (_access & FileAccess.Write) != 0;

    /// <summary>The options of requests that name none. May be changed at any time; requests in flight keep theirs (Rule 2.15).</summary>
    public IoOptions Options
    {
        get => (IoOptions)Volatile.Read(ref _options);
        set => Volatile.Write(ref _options, (int)value);
    }

    internal Inode Inode { get; }

    private Scheduler Scheduler => Inode.FileSystem.Scheduler;

    /// <summary>Reads into <paramref name="buffer"/>.</summary>
    /// <param name="buffer">Where to; for direct I/O aligned to <see cref="DirectMemoryAlignment"/>.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    /// <returns>The bytes read: fewer than asked only at the end of the file or before an error; 0 at the end.</returns>
    /// <exception cref="FileSystemException">InvalidArgument for misaligned direct I/O, DeviceFailed, Corrupt.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken = default) =>
        ReadAsync(buffer, offset, Options, cancellationToken);

    /// <summary>Reads with options for this one request.</summary>
    /// <inheritdoc cref="ReadAsync(Memory{byte}, long, CancellationToken)"/>
    /// <param name="buffer">Where to.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    /// <param name="options">The options of this request, in place of <see cref="Options"/>.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, IoOptions options, CancellationToken cancellationToken = default) =>
        Refuse(CanRead, offset, cancellationToken) is { } refused ? ValueTask.FromException<int>(refused)
            : (options & IoOptions.Direct) == 0 && SegmentList.IsPrivate(buffer) && BufferedPath.TryReadCached(Inode, buffer.Span, offset, out int bytes) ? new ValueTask<int>(bytes)
            : BeginRead(buffer, offset, options, blocks: false);

    /// <summary>Reads into several buffers in turn, as one request.</summary>
    /// <inheritdoc cref="ReadAsync(Memory{byte}, long, CancellationToken)"/>
    /// <param name="buffers">Where to; for direct I/O each one aligned in address and length.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    /// <param name="options">The options of this request; none: those of the file.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    public ValueTask<long> ReadAsync(
        IReadOnlyList<Memory<byte>> buffers, long offset, IoOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        Exception? refused = Refuse(CanRead, offset, cancellationToken);
        if (refused is not null)
        {
            return ValueTask.FromException<long>(refused);
        }

        IoOptions chosen = options ?? Options;
        ValueTask<long> reading;
        using (Calling())
        {
            reading = FileRequests.ReadLongAsync(this, SegmentList.Rent(buffers), offset, chosen);
        }

        return UserOperation<long>.Carry(reading, Scheduler, ContinuesInline(chosen));
    }

    /// <summary>Reads and blocks until it is done.</summary>
    /// <inheritdoc cref="ReadAsync(Memory{byte}, long, CancellationToken)"/>
    /// <param name="buffer">Where to.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    public int Read(Memory<byte> buffer, long offset)
    {
        IoOptions options = Options;
        return Refuse(CanRead, offset, default) is { } refused ? throw refused
            : (options & IoOptions.Direct) == 0 && SegmentList.IsPrivate(buffer) && BufferedPath.TryReadCached(Inode, buffer.Span, offset, out int bytes) ? bytes
            : UserOperation<int>.Wait(BeginRead(buffer, offset, options, blocks: (options & IoOptions.Direct) != 0));
    }

    /// <summary>Writes <paramref name="buffer"/>.</summary>
    /// <param name="buffer">What to write; for direct I/O aligned to <see cref="DirectMemoryAlignment"/>.</param>
    /// <param name="offset">Where in the file to begin, in bytes; ignored with <see cref="IoOptions.Append"/>.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    /// <returns>The bytes written: fewer than asked only before an error, which the next request meets.</returns>
    /// <exception cref="FileSystemException">InvalidArgument for misaligned direct I/O, NoSpace, FileTooLarge, DeviceFailed, ReadOnly.</exception>
    public ValueTask<int> WriteAsync(ReadOnlyMemory<byte> buffer, long offset, CancellationToken cancellationToken = default) =>
        WriteAsync(buffer, offset, Options, cancellationToken);

    /// <summary>Writes with options for this one request.</summary>
    /// <inheritdoc cref="WriteAsync(ReadOnlyMemory{byte}, long, CancellationToken)"/>
    /// <param name="buffer">What to write.</param>
    /// <param name="offset">Where in the file to begin, in bytes; ignored with <see cref="IoOptions.Append"/>.</param>
    /// <param name="options">The options of this request, in place of <see cref="Options"/>.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    public ValueTask<int> WriteAsync(ReadOnlyMemory<byte> buffer, long offset, IoOptions options, CancellationToken cancellationToken = default) =>
        Refuse(CanWrite, offset, cancellationToken) is { } refused
            ? ValueTask.FromException<int>(refused)
            : SegmentList.IsPrivate(buffer) && BufferedWritePath.TryWriteCached(Inode, buffer.Span, offset, options) ? new ValueTask<int>(buffer.Length)
            : BeginWrite(buffer, offset, options, blocks: false);

    /// <summary>Writes several buffers in turn, as one request.</summary>
    /// <inheritdoc cref="WriteAsync(ReadOnlyMemory{byte}, long, CancellationToken)"/>
    /// <param name="buffers">What to write; for direct I/O each one aligned in address and length.</param>
    /// <param name="offset">Where in the file to begin, in bytes; ignored with <see cref="IoOptions.Append"/>.</param>
    /// <param name="options">The options of this request; none: those of the file.</param>
    /// <param name="cancellationToken">Honoured until the request is submitted.</param>
    public ValueTask<long> WriteAsync(
        IReadOnlyList<ReadOnlyMemory<byte>> buffers, long offset, IoOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        Exception? refused = Refuse(CanWrite, offset, cancellationToken);
        if (refused is not null)
        {
            return ValueTask.FromException<long>(refused);
        }

        IoOptions chosen = options ?? Options;
        ValueTask<long> writing;
        using (Calling())
        {
            writing = FileRequests.WriteLongAsync(this, SegmentList.Rent(buffers), offset, chosen);
        }

        return UserOperation<long>.Carry(writing, Scheduler, ContinuesInline(chosen));
    }

    /// <summary>Writes and blocks until it is done.</summary>
    /// <inheritdoc cref="WriteAsync(ReadOnlyMemory{byte}, long, CancellationToken)"/>
    /// <param name="buffer">What to write.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    public int Write(ReadOnlyMemory<byte> buffer, long offset)
    {
        IoOptions options = Options;
        return Refuse(CanWrite, offset, default) is { } refused
            ? throw refused
            : SegmentList.IsPrivate(buffer) && BufferedWritePath.TryWriteCached(Inode, buffer.Span, offset, options) ? buffer.Length
            : UserOperation<int>.Wait(BeginWrite(buffer, offset, options, blocks: (options & IoOptions.Direct) != 0));
    }

    /// <summary>
    /// Completes when everything written to the file before, by anyone, is on stable storage with what is needed to read it back (fsync).
    /// An error of earlier background write-back is reported here, once for each open file.
    /// </summary>
    /// <param name="dataOnly">Leave out attributes that reading does not need, such as times (fdatasync).</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="FileSystemException">DeviceFailed or NoSpace: some data is not on stable storage.</exception>
    public ValueTask FlushAsync(bool dataOnly = false, CancellationToken cancellationToken = default)
    {
        Exception? refused = Refuse(isAllowed: true, 0, cancellationToken);
        return refused is not null
            ? ValueTask.FromException(refused)
            : UserOperation<bool>.CarryWithoutResult(FileRequests.FlushAsync(this, dataOnly), Scheduler, ContinuesInline(Options));
    }

    /// <summary>Sets the size: cuts the file, or extends it with zeros.</summary>
    /// <param name="length">The new size in bytes.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="FileSystemException">FileTooLarge, NotPermitted for an append-only file, DeviceFailed.</exception>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken = default)
    {
        Exception? refused = Refuse(CanWrite, length, cancellationToken);
        return refused is not null
            ? ValueTask.FromException(refused)
            : UserOperation<bool>.CarryWithoutResult(FileRequests.SetLengthAsync(this, length), Scheduler, ContinuesInline(Options));
    }

    /// <summary>Closes the file. Buffered data stays in the cache and is written back in the background; to have it durable, flush first.</summary>
    public ValueTask DisposeAsync() => UserOperation.Carry(CloseAsync(), Scheduler);

    private async ValueTask CloseAsync()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            if (_isWriter)
            {
                Inode.RemoveWriter();
            }

            await Inode.FileSystem.Inodes.ReleaseAsync(Inode).ConfigureAwait(false);
            await CloseDeviceAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose()
    {
        ValueTask closing = DisposeAsync();
        if (!closing.IsCompletedSuccessfully)
        {
            closing.AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>As the public reads, for memory in segments; the caller disposes nothing, the request does. For the mount.</summary>
    internal ValueTask<IoResult> ReadSegmentsAsync(SegmentList memory, long offset, IoOptions options) =>
        FileRequests.ReadAsync(this, memory, offset, options);

    /// <summary>As the public writes, for memory in segments; the request disposes the list. For the mount.</summary>
    internal ValueTask<IoResult> WriteSegmentsAsync(SegmentList memory, long offset, IoOptions options) =>
        FileRequests.WriteAsync(this, memory, offset, options);

    internal ReadaheadState Readahead => _readahead;

    internal ErrorCursor ErrorCursor => _errors;

    /// <param name="blocks">Whether the caller waits for the result and does nothing else: then its thread may do the transfer.</param>
    private CallerScope Calling(bool blocks = false) => CallerScope.Open(Scheduler, blocks || Inode.FileSystem.Device.ServesInCaller, blocks);

    private ValueTask<int> BeginRead(Memory<byte> buffer, long offset, IoOptions options, bool blocks)
    {
        ValueTask<int> reading;
        using (Calling(blocks))
        {
            reading = FileRequests.ReadIntAsync(this, SegmentList.Rent(buffer), offset, options);
        }

        return UserOperation<int>.Carry(reading, Scheduler, ContinuesInline(options));
    }

    private ValueTask<int> BeginWrite(ReadOnlyMemory<byte> buffer, long offset, IoOptions options, bool blocks)
    {
        ValueTask<int> writing;
        using (Calling(blocks))
        {
            writing = FileRequests.WriteIntAsync(this, SegmentList.Rent(buffer), offset, options);
        }

        return UserOperation<int>.Carry(writing, Scheduler, ContinuesInline(options));
    }

    private static bool ContinuesInline(IoOptions options) => (options & IoOptions.ContinueOnReapingThread) != 0;

    /// <summary>Why a request does not begin, or null. What only a programmer's error can cause is thrown at once.</summary>
    private Exception? Refuse(bool isAllowed, long offset, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isClosed) != 0, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (!isAllowed)
        {
            return new FileSystemException(IoFault.BadHandle, $"{Inode} is not open for this");
        }

        return cancellationToken.IsCancellationRequested ? new OperationCanceledException(cancellationToken) : null;
    }
}
