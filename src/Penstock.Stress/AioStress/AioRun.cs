using System.Diagnostics;
using HdrHistogram;
using Penstock.Stress.Fsx;
using Penstock.Stress.Targets;

namespace Penstock.Stress.AioStress;

/// <summary>A whole run: makes the files, lets the threads go through the stages together, removes the files.</summary>
internal sealed class AioRun(StressFolder folder, AioOptions options, AioProgress progress)
{
    private readonly List<AioFile> _files = [];
    private readonly BlockPattern _pattern = new((ulong)Stopwatch.GetTimestamp());

    /// <summary>Runs the stages; <paramref name="report"/> hears of each as it ends.</summary>
    /// <exception cref="AioCorruptionException">Something is not what was written.</exception>
    /// <exception cref="FileSystemException">The target cannot go on.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public IReadOnlyList<StageResult> Run(Action<StageResult> report)
    {
        var workers = new List<AioWorker>();
        try
        {
            MakeFiles();
            for (int i = 0; i < options.Threads; i++)
            {
                workers.Add(new AioWorker(folder, options, _pattern, progress, [.. _files.Where(f => f.Index % options.Threads == i)]));
            }

            var results = new List<StageResult>();
            foreach (AioStage stage in options.Stages)
            {
                results.Add(RunStage(stage, results.Count + 1, workers));
                report(results[^1]);
            }

            return results;
        }
        finally
        {
            workers.ForEach(w => w.Dispose());
            foreach (AioFile file in _files)
            {
                file.File.Dispose();
                folder.Delete(file.File.Name);
            }
        }
    }

    private void MakeFiles()
    {
        int blocks = (int)Math.Max(options.Size / options.RequestSize, 1);
        for (int i = 0; i < Math.Max(options.Files, options.Threads); i++)
        {
            string name = FormattableString.Invariant($"{folder.FilePrefix}aio.{i}");
            folder.Delete(name);
            _files.Add(new AioFile(folder.Open(name, isNew: true), i, blocks));
        }
    }

    private StageResult RunStage(AioStage stage, int pass, List<AioWorker> workers)
    {
        progress.Begin(stage);
        if (!stage.IsWrite())
        {
            Require(f => Fill(f, pass));
            Require(f => f.File.DropCache(0, long.MaxValue / 2) is var fault && fault != IoFault.NotSupported ? fault : IoFault.None);
        }

        long start = Stopwatch.GetTimestamp();
        AioThreads.Run(folder, options, workers, (worker, queue) => worker.Run(stage, pass, queue));
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        if (stage.IsWrite())
        {
            Require(f => f.File.Flush(dataOnly: false));
        }

        TimeSpan flush = stage.IsWrite() ? Stopwatch.GetElapsedTime(start) : TimeSpan.Zero;
        var latency = new LongHistogram(3_600_000_000_000, 3);
        workers.ForEach(w => latency.Add(w.Latency));
        return new StageResult(
            stage, latency.TotalCount * options.RequestSize, latency.TotalCount, workers.Sum(w => w.Verified), elapsed, flush, latency);
    }

    /// <summary>A read stage without a write stage before it needs something to read.</summary>
    private IoFault Fill(AioFile file, int pass)
    {
        if (file.Passes.All(p => p != 0))
        {
            return IoFault.None;
        }

        byte[] block = new byte[options.RequestSize];
        for (int i = 0; i < file.Blocks; i++)
        {
            long offset = (long)i * options.RequestSize;
            _pattern.Fill(block, pass, file.Index, offset);
            IoResult result = file.File.Write([block], offset, TransferModes.Buffered);
            if (result.Bytes < block.Length)
            {
                return result.IsFailed ? result.Fault : IoFault.NoSpace;
            }

            file.Passes[i] = pass;
        }

        return IoFault.None;
    }

    private void Require(Func<AioFile, IoFault> step)
    {
        foreach (AioFile file in _files)
        {
            IoFault fault = step(file);
            if (fault != IoFault.None)
            {
                throw new TargetFailedException(fault, $"{folder.Name}: {file.File.Name}: {fault.Describe()}");
            }
        }
    }
}
