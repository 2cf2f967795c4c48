using System.Diagnostics;
using HdrHistogram;

namespace Penstock.Cli.Measuring;

/// <summary>One request after the other: what a depth of one does. Allocates nothing for a request.</summary>
internal sealed class Lane(BenchPlan plan, BenchTarget target, LaneCursor cursor, ulong seed) : IDisposable
{
    // From a nanosecond to a minute, to three digits.
    private const long LongestNanoseconds = 60_000_000_000;
    private static readonly double s_nanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    private readonly AlignedBuffer _buffer = plan.IsRegistered ? target.RentBuffer(plan.BlockSize) : new(plan.BlockSize);
    private ulong _random = (seed * 0x9E3779B97F4A7C15) | 1;

    public LongHistogram Latencies { get; } = new(LongestNanoseconds, 3);

    /// <summary>Makes requests up to a moment, and one at least, or as long as the cursor goes.</summary>
    public async Task RunAsync(long end)
    {
        Begin();
        long before = Stopwatch.GetTimestamp();
        do
        {
            if (!TryChoose(out bool reads, out long offset))
            {
                break;
            }

            int bytes = reads
                ? await target.ReadAsync(_buffer.Memory, offset).ConfigureAwait(false)
                : await target.WriteAsync(_buffer.Memory, offset).ConfigureAwait(false);
            if (plan.IsFlushing && !reads)
            {
                await target.FlushAsync().ConfigureAwait(false);
            }

            before = Note(bytes, offset, before);
        }
        while (before < end);
    }

    /// <inheritdoc cref="RunAsync"/>
    public void Run(long end)
    {
        Begin();
        long before = Stopwatch.GetTimestamp();
        do
        {
            if (!TryChoose(out bool reads, out long offset))
            {
                break;
            }

            int bytes = reads ? target.Read(_buffer.Memory, offset) : target.Write(_buffer.Memory, offset);
            if (plan.IsFlushing && !reads)
            {
                target.Flush();
            }

            before = Note(bytes, offset, before);
        }
        while (before < end);
    }

    public void Dispose() => ((IDisposable)_buffer).Dispose();

    private void Begin()
    {
        Latencies.Reset();

        // No block is all zeros, and no two lanes write the same.
        _buffer.Memory.Span.Fill((byte)(seed | 1));
    }

    private bool TryChoose(out bool reads, out long offset)
    {
        reads = plan.Pattern.Reads && (!plan.Pattern.Writes || (Next() >> 63) != 0);
        if (!plan.Pattern.IsRandom)
        {
            return cursor.TryNext(out offset);
        }

        offset = (long)Math.BigMul(Next(), (ulong)plan.Blocks, out _) * plan.BlockSize;
        return true;
    }

    private long Note(int bytes, long offset, long before)
    {
        if (bytes != plan.BlockSize)
        {
            throw new IOException($"{bytes} bytes in place of {plan.BlockSize} at offset {offset}");
        }

        long now = Stopwatch.GetTimestamp();
        Latencies.RecordValue(Math.Min((long)((now - before) * s_nanosecondsPerTick), LongestNanoseconds));
        return now;
    }

    /// <summary>xorshift64*: a few instructions, so that it costs nothing beside a cached read.</summary>
    private ulong Next()
    {
        _random ^= _random >> 12;
        _random ^= _random << 25;
        _random ^= _random >> 27;
        return _random * 0x2545F4914F6CDD1D;
    }
}
