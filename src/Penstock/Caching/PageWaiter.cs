using System.Threading.Tasks.Sources;
using Penstock.Execution;

namespace Penstock.Caching;

/// <summary>Somebody who waits for a page to be unlocked or its writeback to end; woken at either, he looks again. Pooled.</summary>
internal sealed class PageWaiter : IValueTaskSource
{
    private static readonly Pool<PageWaiter> s_pool = new(() => new PageWaiter());

    private CompletionCore<bool> _core;
    private Scheduler? _scheduler;

    private PageWaiter()
    {
    }

    public PageWaiter? Next { get; set; }

    public ValueTask Task => new(this, _core.Version);

    public static PageWaiter Rent(Scheduler scheduler)
    {
        PageWaiter waiter = s_pool.Rent();
        waiter._scheduler = scheduler;
        return waiter;
    }

    /// <summary>Wakes a chain of waiters. No latch is held.</summary>
    public static void WakeAll(PageWaiter? waiter)
    {
        while (waiter is not null)
        {
            PageWaiter? next = waiter.Next;
            waiter.Next = null;
            waiter._scheduler!.Post(static state => ((PageWaiter)state!)._core.SetResult(true), waiter);
            waiter = next;
        }
    }

    void IValueTaskSource.GetResult(short token)
    {
        _core.GetResult(token);
        _core.Reset();
        s_pool.Return(this);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Scheduler scheduler = _scheduler!;
        if (!_core.TryAwait(continuation, state, token))
        {
            scheduler.Post(continuation, state);
        }
    }
}
