using System.Runtime.ExceptionServices;

namespace Penstock.Stress.Fsx;

/// <summary>Runs workers, each on a thread of its own: they block, as the programs do that they stand for.</summary>
internal static class WorkerThreads
{
    /// <summary>Runs all to their ends; the first that finds something stops the others.</summary>
    /// <returns>What was found first, and by whom.</returns>
    /// <exception cref="FileSystemException">The target cannot go on, and nothing was found.</exception>
    public static (FsxWorker Worker, Discrepancy Found)? Run(IReadOnlyList<FsxWorker> workers, CancellationTokenSource stop)
    {
        var latch = new Lock();
        (FsxWorker Worker, Discrepancy Found)? first = null;
        Exception? failure = null;
        Thread[] threads = [.. workers.Select(worker => new Thread(() =>
        {
            Discrepancy? found = null;
            Exception? thrown = null;
            try
            {
                found = worker.Run();
            }
            catch (Exception e)
            {
                thrown = e;
            }

            lock (latch)
            {
                first ??= found is null ? null : (worker, found);
                failure = failure is null or OperationCanceledException ? thrown ?? failure : failure;
            }

            if (found is not null || thrown is not null)
            {
                stop.Cancel();
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        if (first is null && failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return first;
    }
}
