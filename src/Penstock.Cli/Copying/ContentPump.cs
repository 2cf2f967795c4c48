namespace Penstock.Cli.Copying;

/// <summary>Moves the content of a file from one place to another, reading ahead of the writing and leaving holes as holes.</summary>
internal static class ContentPump
{
    private const int MaxBufferBytes = 1 << 20;
    private const int MinBufferBytes = 256 << 10;

    /// <summary>The size of the zeros that are worth a hole.</summary>
    private const int HoleBytes = 4096;

    /// <summary>Takes the bytes of a file in turn; what lies between two calls is zeros.</summary>
    public delegate ValueTask Sink(ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken);

    /// <summary>Reads all of <paramref name="source"/>, which has some <paramref name="length"/> bytes, into <paramref name="sink"/>.</summary>
    /// <returns>Where the last byte that was passed on ends.</returns>
    public static async Task<long> RunAsync(TreeContent source, long length, Sink sink, bool skipsHoles, CancellationToken cancellationToken)
    {
        int bufferBytes = length < MinBufferBytes ? MinBufferBytes : MaxBufferBytes;
        using AlignedMemory buffers = AlignedMemory.Rent(2 * bufferBytes);
        Memory<byte> current = buffers.Memory[..bufferBytes];
        Memory<byte> spare = buffers.Memory.Slice(bufferBytes, bufferBytes);
        long offset = skipsHoles ? await source.SkipHoleAsync(0) : 0;
        int count = await source.ReadAsync(current, offset, cancellationToken);
        long end = 0;
        while (count > 0)
        {
            // The next read is in flight while this piece is written; it is waited for in any case, since it owns its buffer.
            long nextOffset = skipsHoles ? await source.SkipHoleAsync(offset + count) : offset + count;
            ValueTask<int> next = source.ReadAsync(spare, nextOffset, cancellationToken);
            try
            {
                await (skipsHoles ? PassDataAsync(sink, current[..count], offset, cancellationToken) : sink(current[..count], offset, cancellationToken));
            }
            catch
            {
                await DrainAsync(next);
                throw;
            }

            end = offset + count;
            offset = nextOffset;
            count = await next;
            (current, spare) = (spare, current);
        }

        return end;
    }

    /// <summary>Copies a file: its content, and its length where that is more.</summary>
    public static async Task CopyAsync(
        TreeContent source, TreeContent target, TreeFile file, Action<long> transferred, CancellationToken cancellationToken)
    {
        long end = await RunAsync(
            source,
            file.Length,
            async (bytes, offset, token) =>
            {
                await target.WriteAsync(bytes, offset, token);
                transferred(bytes.Length);
            },
            file.IsSparse,
            cancellationToken);
        if (file.IsSparse)
        {
            // A hole at the end was never written.
            await target.SetLengthAsync(Math.Max(end, file.Length));
        }
    }

    /// <summary>Passes on what is not zeros.</summary>
    private static async ValueTask PassDataAsync(Sink sink, ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken)
    {
        for (int start = 0; start < bytes.Length;)
        {
            int zeros = CountBlocks(bytes.Span[start..], offset + start, areZeros: true);
            start += zeros;
            int data = CountBlocks(bytes.Span[start..], offset + start, areZeros: false);
            if (data > 0)
            {
                await sink(bytes.Slice(start, data), offset + start, cancellationToken);
            }

            start += data;
        }
    }

    /// <summary>How many bytes from the start lie in blocks of zeros, or in blocks of anything else.</summary>
    private static int CountBlocks(ReadOnlySpan<byte> bytes, long offset, bool areZeros)
    {
        int count = 0;
        while (count < bytes.Length)
        {
            int block = (int)Math.Min(HoleBytes - ((offset + count) % HoleBytes), bytes.Length - count);
            if (!bytes.Slice(count, block).ContainsAnyExcept((byte)0) != areZeros)
            {
                break;
            }

            count += block;
        }

        return count;
    }

    private static async Task DrainAsync(ValueTask<int> read)
    {
        try
        {
            await read;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The failure of the write is the one to tell.
        }
    }
}
