using Penstock.Execution;

namespace Penstock.Ext4.Checking;

/// <summary>Several activities on one job.</summary>
internal static class Workers
{
    /// <summary>Runs <paramref name="work"/> in <paramref name="count"/> activities and waits for all; one that fails fails the whole.</summary>
    public static async ValueTask RunAsync(Scheduler scheduler, int count, Func<int, Task> work)
    {
        var done = new SharedEvent(scheduler);
        var latch = new object();
        int left = count;
        Exception? failure = null;
        for (int i = 0; i < count; i++)
        {
            int number = i;
            scheduler.Start(async () =>
            {
                Exception? own = null;
                try
                {
                    await work(number).ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    own = e;
                }

                bool isLast;
                lock (latch)
                {
                    failure ??= own;
                    isLast = --left == 0;
                }

                if (isLast)
                {
                    done.Set(failure);
                }
            });
        }

        await done.WaitAsync().ConfigureAwait(false);
    }
}
