namespace Penstock.Locking;

/// <summary>A lock that an operation holds.</summary>
internal readonly record struct LockHolding(LockRank Rank, ulong Order, object Target, bool IsExclusive);

/// <summary>The locks that one operation holds. An operation may fork (several pages filled at once), so it has a latch.</summary>
internal sealed class LockHoldings(string name)
{
    private readonly List<LockHolding> _held = [];

    public string Name => name;

    /// <summary>How many locks the operation has taken so far.</summary>
    public int Acquisitions { get; private set; }

    public void Add(LockHolding holding)
    {
        lock (_held)
        {
            Acquisitions++;
            _held.Add(holding);
        }
    }

    public bool Remove(LockRank rank, object target)
    {
        lock (_held)
        {
            int index = _held.FindLastIndex(h => h.Rank == rank && ReferenceEquals(h.Target, target));
            if (index < 0)
            {
                return false;
            }

            _held.RemoveAt(index);
            return true;
        }
    }

    /// <summary>Why acquiring the lock would break the order, or null.</summary>
    public string? FindViolation(LockRank rank, ulong order, object target, bool isExclusive)
    {
        lock (_held)
        {
            foreach (LockHolding held in _held)
            {
                if (held.Rank > rank)
                {
                    return $"{name}: takes {rank} while it holds {held.Rank}";
                }

                if (held.Rank == rank && ReferenceEquals(held.Target, target))
                {
                    return $"{name}: takes {rank} of {target} again";
                }

                if (held.Rank == rank && held.Order >= order)
                {
                    return $"{name}: takes {rank} {order} while it holds {rank} {held.Order}";
                }
            }

            _ = isExclusive;
            return null;
        }
    }

    public string? DescribeHeld()
    {
        lock (_held)
        {
            return _held.Count == 0 ? null : string.Join(", ", _held.Select(h => $"{h.Rank} of {h.Target}"));
        }
    }
}

/// <summary>Ends the operation it was handed out for.</summary>
internal readonly struct OperationScope(LockRecorder recorder, LockHoldings holdings, LockHoldings? outer) : IDisposable
{
    /// <summary>How many locks the operation has taken so far.</summary>
    public int Acquisitions => holdings.Acquisitions;

    public void Dispose() => recorder?.End(holdings, outer);
}
