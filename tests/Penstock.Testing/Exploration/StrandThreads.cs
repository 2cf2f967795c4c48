namespace Penstock.Testing.Exploration;

/// <summary>The threads behind the strands, kept from one execution to the next.</summary>
internal sealed class StrandThreads : IDisposable
{
    private readonly List<(Strand Strand, SemaphoreSlim Begin)> _threads = [];
    private readonly SemaphoreSlim _ended = new(0);
    private int _running;
    private bool _isOver;

    public Strand this[int index]
    {
        get
        {
            while (_threads.Count <= index)
            {
                (Strand Strand, SemaphoreSlim Begin) thread = (new Strand(_threads.Count), new SemaphoreSlim(0));
                _threads.Add(thread);
                new Thread(() => Serve(thread.Strand, thread.Begin), 256 << 10) { IsBackground = true, Name = $"strand-{index}" }.Start();
            }

            return _threads[index].Strand;
        }
    }

    /// <summary>The strand's body begins when the strand is told to go on.</summary>
    public void Begin(Strand strand)
    {
        _running++;
        _threads[strand.Index].Begin.Release();
    }

    /// <summary>Waits until every body has come to its end.</summary>
    public void WaitForAll()
    {
        for (; _running > 0; _running--)
        {
            _ended.Wait();
        }

        foreach ((Strand strand, _) in _threads)
        {
            while (strand.Go.Wait(0))
            {
            }
        }
    }

    public void Dispose()
    {
        _isOver = true;
        foreach ((_, SemaphoreSlim begin) in _threads)
        {
            begin.Release();
        }
    }

    private void Serve(Strand strand, SemaphoreSlim begin)
    {
        while (true)
        {
            begin.Wait();
            if (_isOver)
            {
                return;
            }

            strand.Go.Wait();
            strand.Body!();
            _ended.Release();
        }
    }
}
