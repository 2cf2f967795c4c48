namespace Penstock.Simulation.Judging;

/// <summary>
/// For every byte of a file, the writes that a read of it may see (invariant 3.1): stretches of bytes with the same history. Zero is the first
/// write of every byte.
/// </summary>
/// <param name="mayLosePower">Whether the power may go, so that what was overwritten counts until what overwrote it is durable.</param>
internal sealed class ByteHistories(bool mayLosePower)
{
    private const long End = long.MaxValue;

    private readonly List<Stretch> _stretches = [new Stretch(0, [new Entry(WriteRecord.FirstZeros, 0, IsCertain: true)])];

    /// <summary>A write may be found in a range from now on. What can never be seen again, since no read is older than a moment, goes.</summary>
    public void Add(Entry entry, long start, long end, long oldestRead)
    {
        (int first, int last) = Split(start, end);
        for (int i = first; i < last; i++)
        {
            _stretches[i].Forget(oldestRead, mayLosePower);
            _stretches[i].Add(entry);
        }
    }

    /// <summary>The write has ended: in the range its bytes are there for certain, or they may be.</summary>
    public void Settle(WriteRecord write, long start, long end, bool isCertain)
    {
        (int first, int last) = Split(start, end);
        for (int i = first; i < last; i++)
        {
            _stretches[i].Settle(write, isCertain);
        }
    }

    /// <summary>A write has left nothing from an offset on.</summary>
    public void Forget(WriteRecord write, long start)
    {
        (int first, int last) = Split(start, End);
        for (int i = first; i < last; i++)
        {
            _stretches[i].Drop(write);
        }
    }

    /// <summary>
    /// Why bytes at an offset, read between two moments, cannot be the file's: where, and what else could have been there. Null if they can.
    /// </summary>
    public Mismatch? Judge(ReadOnlySpan<byte> bytes, long offset, long begun, long ended) => Judge(bytes, offset, begun, ended, hasLostPower: false);

    /// <summary>
    /// As <see cref="Judge(ReadOnlySpan{byte}, long, long, long)"/>, of what a recovery has left: of anything that was begun, but for what something durable has
    /// overwritten.
    /// </summary>
    public Mismatch? JudgeRecovered(ReadOnlySpan<byte> bytes, long offset) => Judge(bytes, offset, End, End, hasLostPower: true);

    private Mismatch? Judge(ReadOnlySpan<byte> bytes, long offset, long begun, long ended, bool hasLostPower)
    {
        long end = offset + bytes.Length;
        for (int i = Find(offset); i < _stretches.Count && _stretches[i].Start < end; i++)
        {
            long from = Math.Max(offset, _stretches[i].Start);
            long to = Math.Min(end, i + 1 < _stretches.Count ? _stretches[i + 1].Start : End);
            int at = _stretches[i].FindMismatch(bytes[(int)(from - offset)..(int)(to - offset)], from, begun, ended, hasLostPower);
            if (at >= 0)
            {
                return new Mismatch(from + at, _stretches[i].Describe(begun, ended));
            }
        }

        return null;
    }

    /// <summary>As <see cref="Judge"/>, after a loss of power: bytes whose last write is durable must be its own.</summary>
    public Mismatch? JudgeDurable(ReadOnlySpan<byte> bytes, long offset)
    {
        long end = offset + bytes.Length;
        for (int i = Find(offset); i < _stretches.Count && _stretches[i].Start < end; i++)
        {
            long from = Math.Max(offset, _stretches[i].Start);
            long to = Math.Min(end, i + 1 < _stretches.Count ? _stretches[i + 1].Start : End);
            int at = _stretches[i].FindLoss(bytes[(int)(from - offset)..(int)(to - offset)], from);
            if (at >= 0)
            {
                return new Mismatch(from + at, _stretches[i].Describe(End, End));
            }
        }

        return null;
    }

    /// <summary>What can be found in a range now, to be looked at later.</summary>
    public ByteHistories Keep(long start, long end)
    {
        var kept = new ByteHistories(mayLosePower);
        kept._stretches.Clear();
        for (int i = Find(start); i < _stretches.Count && _stretches[i].Start < end; i++)
        {
            kept._stretches.Add(_stretches[i].CloneAt(_stretches[i].Start));
        }

        return kept;
    }

    /// <summary>A range leaves the file (negative length): what follows it may have moved down. Or one comes in, and what stands behind may have moved up.</summary>
    public void Shift(WriteRecord shift, bool isSettled)
    {
        (long start, long length) = (shift.Offset, shift.Length);
        if (length < 0)
        {
            Move(shift, start - length, start, isSettled);
            return;
        }

        Move(shift, start, start + length, isSettled);
        (int first, int last) = Split(start, start + length);
        for (int i = first; i < last; i++)
        {
            _stretches[i].Replace(new Entry(shift, 0, isSettled));
        }
    }

    /// <summary>A write that begins while a shift is in flight: it may come first, and then its bytes move.</summary>
    public void AddShifted(WriteRecord shift, Entry entry, long start, long end)
    {
        long from = shift.Length < 0 ? shift.Offset - shift.Length : shift.Offset;
        if (end > from)
        {
            (int first, int last) = Split(Math.Max(start, from) + shift.Length, end == End ? End : end + shift.Length);
            for (int i = first; i < last; i++)
            {
                _stretches[i].Add(new Entry(entry.Write, entry.Base + shift.Length, IsCertain: false, shift));
            }
        }
    }

    /// <summary>The index of the stretch that an offset lies in.</summary>
    private int Find(long offset)
    {
        int low = 0;
        int high = _stretches.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_stretches[middle].Start <= offset)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }

    private (int First, int Last) Split(long start, long end)
    {
        if (start >= end)
        {
            return (0, 0);
        }

        int first = SplitAt(start);
        int last = end == End ? _stretches.Count : SplitAt(end);
        return (first, last);
    }

    private int SplitAt(long offset)
    {
        int index = Find(offset);
        if (_stretches[index].Start == offset)
        {
            return index;
        }

        _stretches.Insert(index + 1, _stretches[index].CloneAt(offset));
        return index + 1;
    }

    /// <summary>
    /// Everything from <paramref name="from"/> on may stand at <paramref name="target"/> and on. Settled: it does, except for writes that were in
    /// flight together with the change, which may be in either place.
    /// </summary>
    private void Move(WriteRecord shift, long from, long target, bool isSettled)
    {
        SplitAt(from);
        SplitAt(target);
        var moved = new List<Stretch>();
        for (int i = Find(from); i < _stretches.Count; i++)
        {
            moved.Add(_stretches[i].Moved(shift, target - from, isSettled));
        }

        foreach (Stretch stretch in moved)
        {
            SplitAt(stretch.Start);
        }

        int next = 0;
        for (int i = Find(target); i < _stretches.Count; i++)
        {
            while (next + 1 < moved.Count && moved[next + 1].Start <= _stretches[i].Start)
            {
                next++;
            }

            _stretches[i].AddAll(moved[next]);
        }
    }
}

/// <summary>Bytes that cannot be there.</summary>
/// <param name="Offset">The first of them, in the file.</param>
/// <param name="Allowed">What could have been there.</param>
internal sealed record Mismatch(long Offset, string Allowed);
