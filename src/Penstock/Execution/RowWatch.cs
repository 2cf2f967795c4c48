namespace Penstock.Execution;

/// <summary>Looks at the rows of all reaping threads every few milliseconds, as long as any of them runs, and hands over those that are held up.</summary>
internal sealed class RowWatch
{
    private const int Interval = 5;
    private const int LooksBeforeSleep = 40;

    private readonly object _latch = new();
    private readonly List<UserRow> _rows = [];
    private int _isAwake;
    private bool _isStarted;

    public void Add(UserRow row)
    {
        lock (_latch)
        {
            _rows.Add(row);
        }
    }

    public void Remove(UserRow row)
    {
        lock (_latch)
        {
            _rows.Remove(row);
        }
    }

    /// <summary>A row runs, and its phase says so already.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _isAwake) != 0)
        {
            return;
        }

        lock (_latch)
        {
            _isAwake = 1;
            if (_isStarted)
            {
                Monitor.Pulse(_latch);
                return;
            }

            _isStarted = true;
        }

        new Thread(Run) { IsBackground = true, Name = "penstock-watch" }.UnsafeStart();
    }

    private void Run()
    {
        for (int quiet = 0; ; quiet++)
        {
            Thread.Sleep(Interval);
            lock (_latch)
            {
                if (LookAtAll())
                {
                    quiet = 0;
                }
                else if (quiet >= LooksBeforeSleep)
                {
                    Interlocked.Exchange(ref _isAwake, 0);
                    while (_isAwake == 0 && !_rows.Exists(static row => row.IsRunning))
                    {
                        Monitor.Wait(_latch);
                    }

                    _isAwake = 1;
                    quiet = 0;
                }
            }
        }
    }

    private bool LookAtAll()
    {
        bool hasRun = false;
        foreach (UserRow row in _rows)
        {
            hasRun |= row.Look();
        }

        return hasRun;
    }
}
