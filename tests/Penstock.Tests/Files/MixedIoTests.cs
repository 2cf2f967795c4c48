using System.Runtime.InteropServices;
using Penstock.Execution;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>
/// Direct and buffered, reads and writes, aligned and not, truncates: several at once on one file, in orders drawn from a seed, each read judged by
/// the history of its bytes.
/// </summary>
public sealed class MixedIoTests
{
    private const int Sector = 512;
    private const int Sectors = 128;

    [Theory]
    [InlineData(MemoryFileKind.Extents, 4096)]
    [InlineData(MemoryFileKind.Extents, 1024)]
    [InlineData(MemoryFileKind.BlockMapped, 4096)]
    [InlineData(MemoryFileKind.BlockMapped, 1024)]
    public void Every_read_sees_what_the_history_allows(object kind, int blockSize)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            Run((MemoryFileKind)kind, blockSize, seed, Rule.None);
        }
    }

    private static void Run(MemoryFileKind kind, int blockSize, int seed, Rule broken)
    {
        var world = new World(RuleSet.Of(broken), seed, blockSize);
        OpenFile file = world.Create(kind);
        var run = new MixedRun(file, new Random(seed));
        world.Complete(run.RunAsync(workers: 4, operations: 30));
        Assert.True(run.Violation is null, $"{kind}, {blockSize}, seed {seed}: {run.Violation}");
        Assert.True(world.IsBalanced(file), $"{kind}, {blockSize}, seed {seed}: {string.Join("; ", world.Recorder.Violations)}");
    }

    private sealed class MixedRun(OpenFile file, Random random)
    {
        private readonly ByteHistory _history = new(Sectors, Sector);
        private long _number;
        private bool _isTruncating;

        public string? Violation { get; private set; }

        public async Task RunAsync(int workers, int operations)
        {
            await Task.WhenAll(Enumerable.Range(0, workers).Select(async _ =>
            {
                for (int i = 0; i < operations && Violation is null; i++)
                {
                    await StepAsync();
                }
            }));
            await ReadAsync(0, Sectors, IoOptions.None);
            await SyncAsync();
            await ReadAsync(0, Sectors, IoOptions.Direct);
        }

        private Task StepAsync()
        {
            int first = random.Next(Sectors);
            int count = random.Next(1, Math.Min(24, Sectors - first) + 1);
            return random.Next(20) switch
            {
                < 4 => ReadAsync(first, count, IoOptions.None),
                < 8 => ReadAsync(first, count, IoOptions.Direct),
                < 12 => WriteAsync(first, count, IoOptions.None),
                < 18 => WriteAsync(first, count, IoOptions.Direct),
                18 => SyncAsync(),
                _ => TruncateAsync(first),
            };
        }

        private async Task ReadAsync(int first, int count, IoOptions options)
        {
            var buffer = new AlignedBuffer(count * Sector);
            buffer.GetSpan().Fill(0xEE);
            long begun = _history.Tick();
            int bytes = await file.ReadAsync(buffer.Memory, first * Sector, options);
            long ended = _history.Tick();
            for (int i = 0; i < bytes / Sector; i++)
            {
                Violation ??= _history.FindViolation(first + i, buffer.GetSpan().Slice(i * Sector, Sector), begun, ended) is { } why
                    ? $"{options} read: {why}"
                    : null;
            }
        }

        /// <summary>A direct write that met a page dirtied meanwhile is told of here (Rule 2.6); nothing else fails in this world.</summary>
        private async Task SyncAsync()
        {
            try
            {
                await file.FlushAsync();
            }
            catch (FileSystemException e) when (e.Fault == IoFault.DeviceFailed)
            {
                await file.FlushAsync();
            }
        }

        private async Task WriteAsync(int first, int count, IoOptions options)
        {
            var buffer = new AlignedBuffer(count * Sector);
            long number = ++_number << 8 | 0x11;
            MemoryMarshal.Cast<byte, long>(buffer.GetSpan()).Fill(number);
            ByteHistory.Write write = _history.Begin(number, first, count);
            int bytes = await file.WriteAsync(buffer.Memory, first * Sector, options);
            if (bytes != count * Sector)
            {
                Violation ??= $"{options} write of {count} sectors at {first} returned {bytes}";
            }

            _history.End(write);
            if (file.Length < (first + count) * Sector && !_isTruncating)
            {
                Violation ??= $"after a {options} write to {(first + count) * Sector} the size is {file.Length}";
            }
        }

        /// <summary>Cuts the file; one at a time, and the check of sizes looks away meanwhile.</summary>
        private async Task TruncateAsync(int first)
        {
            _isTruncating = true;
            ByteHistory.Write zeros = _history.Begin(0, first, Sectors - first);
            await file.SetLengthAsync(first * Sector);
            _history.End(zeros);
        }
    }
}
