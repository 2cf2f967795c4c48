using System.Diagnostics;
using HdrHistogram;
using Penstock.Stress.Fsx;
using Penstock.Stress.Targets;

namespace Penstock.Stress.AioStress;

/// <summary>One thread: its files, its slots, and the requests it keeps in flight.</summary>
internal sealed class AioWorker : IDisposable
{
    private const long MostNanoseconds = 3_600_000_000_000;

    private readonly StressFolder _folder;
    private readonly AioOptions _options;
    private readonly BlockPattern _pattern;
    private readonly AioProgress _progress;
    private readonly IReadOnlyList<AioFile> _files;
    private readonly AlignedBuffer[] _buffers;
    private readonly Memory<byte>[][] _memory;
    private readonly (AioFile File, int Block, long Started)[] _slots;
    private readonly byte[] _expected;

    public AioWorker(StressFolder folder, AioOptions options, BlockPattern pattern, AioProgress progress, IReadOnlyList<AioFile> files)
    {
        _folder = folder;
        _options = options;
        _pattern = pattern;
        _progress = progress;
        _files = files;
        _buffers = [.. Enumerable.Range(0, options.Depth).Select(_ => new AlignedBuffer(options.RequestSize, Math.Max(4096, Environment.SystemPageSize)))];
        _memory = [.. _buffers.Select(b => new[] { b.Memory })];
        _slots = new (AioFile File, int Block, long Started)[options.Depth];
        _expected = new byte[options.RequestSize];
    }

    /// <summary>Latencies of the stage, in nanoseconds.</summary>
    public LongHistogram Latency { get; private set; } = new(MostNanoseconds, 3);

    /// <summary>Blocks compared in the stage.</summary>
    public long Verified { get; private set; }

    /// <summary>Runs a stage over the files of this thread.</summary>
    /// <exception cref="AioCorruptionException">A block is not what was written.</exception>
    /// <exception cref="FileSystemException">The target cannot go on.</exception>
    public void Run(AioStage stage, int pass, TransferQueue queue)
    {
        Latency = new LongHistogram(MostNanoseconds, 3);
        Verified = 0;
        var free = new Stack<int>(Enumerable.Range(0, _options.Depth));
        IEnumerator<(AioFile File, int Block)> work = Order(stage, pass).GetEnumerator();
        bool hasMore = work.MoveNext();
        try
        {
            while (hasMore || free.Count < _options.Depth)
            {
                _progress.Cancellation.ThrowIfCancellationRequested();
                for (int i = 0; hasMore && free.Count > 0 && i < _options.Batch; i++)
                {
                    Begin(queue, free.Pop(), stage, pass, work.Current.File, work.Current.Block);
                    hasMore = work.MoveNext();
                }

                queue.Submit();

                // A batch goes out when there is room for one: until then completions are taken one by one.
                int wanted = hasMore ? Math.Min(_options.Batch, _options.Depth) : _options.Depth;
                while (free.Count < wanted)
                {
                    int slot = queue.Take(out IoResult result);
                    free.Push(slot);
                    End(slot, stage, pass, result);
                }
            }
        }
        catch
        {
            Drain(queue, free);
            throw;
        }
    }

    public void Dispose() => Array.ForEach(_buffers, b => ((IDisposable)b).Dispose());

    /// <summary>The memory of requests in flight belongs to them until they end.</summary>
    private void Drain(TransferQueue queue, Stack<int> free)
    {
        try
        {
            queue.Submit();
            while (free.Count < _options.Depth)
            {
                free.Push(queue.Take(out _));
            }
        }
        catch (FileSystemException)
        {
            // The context itself failed, and said so already: nothing is in flight in it.
        }
    }

    /// <summary>Every block of every file once.</summary>
    private IEnumerable<(AioFile File, int Block)> Order(AioStage stage, int pass)
    {
        if (!stage.IsRandom())
        {
            foreach (AioFile file in _files)
            {
                for (int block = 0; block < file.Blocks; block++)
                {
                    yield return (file, block);
                }
            }

            yield break;
        }

        var chance = new SeededChance(_options.Seed + (ulong)pass);
        (AioFile File, int Block)[] all = [.. _files.SelectMany(f => Enumerable.Range(0, f.Blocks).Select(b => (f, b)))];
        for (int i = all.Length - 1; i >= 0; i--)
        {
            int other = (int)chance.Below(i + 1);
            (all[i], all[other]) = (all[other], all[i]);
            yield return all[i];
        }
    }

    private void Begin(TransferQueue queue, int slot, AioStage stage, int pass, AioFile file, int block)
    {
        long offset = (long)block * _options.RequestSize;
        TransferModes modes = _options.IsDirect ? TransferModes.Direct : TransferModes.Buffered;
        if (stage.IsWrite())
        {
            _pattern.Fill(_memory[slot][0].Span, pass, file.Index, offset);
            modes |= _options.IsSync ? TransferModes.DataSync : 0;
        }

        _slots[slot] = (file, block, Stopwatch.GetTimestamp());
        queue.Add(slot, new Transfer(file.File, stage.IsWrite(), _memory[slot], offset, modes));
    }

    private void End(int slot, AioStage stage, int pass, IoResult result)
    {
        (AioFile file, int block, long started) = _slots[slot];
        Latency.RecordValue(Math.Clamp(Stopwatch.GetElapsedTime(started).Ticks * 100, 1, MostNanoseconds));
        string request = FormattableString.Invariant(
            $"{stage.ToWord()} of {_options.RequestSize} bytes at 0x{(long)block * _options.RequestSize:x} of {file.File.Name}");
        if (result.IsFailed)
        {
            throw new TargetFailedException(result.Fault, $"{request} failed: {result.Fault.Describe()}");
        }

        if (result.Bytes != _options.RequestSize)
        {
            throw JudgeShort(stage, request, result.Bytes);
        }

        if (stage.IsWrite())
        {
            file.Passes[block] = pass;
        }
        else if (_options.Verifies && file.Passes[block] != 0)
        {
            Verify(slot, request, file, block, pass);
        }

        _progress.Add(result.Bytes);
    }

    /// <summary>A write that stopped half-way is excused where space runs out: what is in flight may each want as much.</summary>
    private Exception JudgeShort(AioStage stage, string request, long bytes)
    {
        long wanted = (long)_options.RequestSize * _options.Depth * _options.Threads;
        return stage.IsWrite() && _folder.FreeBytes <= Math.Max(wanted, 4 << 20)
            ? new TargetFailedException(IoFault.NoSpace, $"{request} failed: {IoFault.NoSpace.Describe()}")
            : new AioCorruptionException(FormattableString.Invariant($"{request} moved {bytes} bytes"));
    }

    private void Verify(int slot, string request, AioFile file, int block, int passes)
    {
        long offset = (long)block * _options.RequestSize;
        _pattern.Fill(_expected, file.Passes[block], file.Index, offset);
        ReadOnlySpan<byte> found = _memory[slot][0].Span;
        Verified++;
        int first = found.CommonPrefixLength(_expected);
        if (first < found.Length)
        {
            throw new AioCorruptionException(FormattableString.Invariant(
                $"{request} is wrong from 0x{offset + first:x} on: it must be {_pattern.Describe(_expected, first, passes)} and is {_pattern.Describe(found, first, passes)}"));
        }
    }
}
