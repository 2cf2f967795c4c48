namespace Penstock.Tests.Locking;

/// <summary>What a fair shared lock is, written down in the plainest way: the twin that the real one is compared with.</summary>
internal sealed class NaiveLock
{
    private readonly List<(string Name, bool IsExclusive)> _queue = [];

    public int Shared { get; private set; }

    public bool Exclusive { get; private set; }

    public int Waiting => _queue.Count;

    /// <summary>Who was granted, in order.</summary>
    public List<string> Granted { get; } = [];

    public void Ask(string name, bool isExclusive)
    {
        _queue.Add((name, isExclusive));
        GrantFromHead();
    }

    public bool TryTake(bool isExclusive)
    {
        if (_queue.Count > 0 || !Fits(isExclusive))
        {
            return false;
        }

        Take(isExclusive);
        return true;
    }

    public void Release()
    {
        if (Exclusive)
        {
            Exclusive = false;
        }
        else
        {
            Shared--;
        }

        GrantFromHead();
    }

    public void Downgrade()
    {
        (Exclusive, Shared) = (false, 1);
        GrantFromHead();
    }

    private bool Fits(bool isExclusive) => !Exclusive && (!isExclusive || Shared == 0);

    private void Take(bool isExclusive)
    {
        Exclusive = isExclusive;
        Shared += isExclusive ? 0 : 1;
    }

    private void GrantFromHead()
    {
        while (_queue.Count > 0 && Fits(_queue[0].IsExclusive))
        {
            Take(_queue[0].IsExclusive);
            Granted.Add(_queue[0].Name);
            _queue.RemoveAt(0);
        }
    }
}
