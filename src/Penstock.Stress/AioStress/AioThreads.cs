using System.Runtime.ExceptionServices;
using Penstock.Stress.Targets;

namespace Penstock.Stress.AioStress;

/// <summary>Runs workers, each on a thread of its own with a context of its own, or all on a shared one.</summary>
internal static class AioThreads
{
    /// <summary>Runs all to their ends. What went wrong is thrown when all have ended; corruption before anything else.</summary>
    public static void Run(StressFolder folder, AioOptions options, IReadOnlyList<AioWorker> workers, Action<AioWorker, TransferQueue> work)
    {
        SharedContext? shared = options.SharesContext ? new SharedContext(folder, workers.Count, options.Depth) : null;
        Thread? context = shared is null ? null : new Thread(shared.Run);
        context?.Start();
        Exception? failure = null;
        var latch = new Lock();
        Thread[] threads = [.. workers.Select((worker, i) => new Thread(() =>
        {
            try
            {
                using TransferQueue queue = shared?[i] ?? folder.CreateQueue(options.Depth);
                work(worker, queue);
            }
            catch (Exception e)
            {
                lock (latch)
                {
                    failure = failure is AioCorruptionException ? failure : e;
                }
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        shared?.End();
        context?.Join();
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}
