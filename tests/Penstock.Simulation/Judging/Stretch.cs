using System.Globalization;

namespace Penstock.Simulation.Judging;

/// <summary>Bytes of a file that lie beside each other and have the same history.</summary>
internal sealed class Stretch
{
    private readonly List<Entry> _entries;

    public Stretch(long start, List<Entry> entries)
    {
        Start = start;
        _entries = entries;
    }

    public long Start { get; }

    public Stretch CloneAt(long start) => new(start, [.. _entries]);

    public void Add(Entry entry) => _entries.Add(entry);

    public void AddAll(Stretch other)
    {
        foreach (Entry entry in other._entries)
        {
            Replace(entry);
        }
    }

    /// <summary>
    /// Drops what a certain write hides from every read that is still to end; where a loss of power could bring it back, only if that write is durable.
    /// </summary>
    public void Forget(long oldestRead, bool mayLosePower)
    {
        if (_entries.Count > 2)
        {
            _entries.RemoveAll(entry => IsHidden(entry, oldestRead, mayLosePower));
        }
    }

    public void Settle(WriteRecord write, bool isCertain)
    {
        for (int i = 0; i < _entries.Count; i++)
        {
            if (ReferenceEquals(_entries[i].Write, write))
            {
                _entries[i] = _entries[i] with { IsCertain = isCertain };
            }
        }
    }

    /// <summary>A write has left nothing here.</summary>
    public void Drop(WriteRecord write) => _entries.RemoveAll(e => ReferenceEquals(e.Write, write));

    /// <summary>Adds an entry, in place of what it was before it was settled.</summary>
    public void Replace(Entry entry)
    {
        _entries.Remove(entry with { IsCertain = false });
        _entries.Add(entry);
    }

    /// <summary>
    /// The same bytes further on in the file. Settled: what was in flight with the change is in no place for certain; what came after it stays
    /// where it is.
    /// </summary>
    public Stretch Moved(WriteRecord shift, long delta, bool isSettled)
    {
        var moved = new List<Entry>();
        for (int i = 0; i < _entries.Count; i++)
        {
            Entry entry = _entries[i];
            if (ReferenceEquals(entry.Shift, shift))
            {
                continue;
            }

            bool isBefore = entry.Ended < shift.Begun;
            if (!isBefore || !IsHidden(entry, shift.Begun))
            {
                moved.Add(new Entry(entry.Write, entry.Base + delta, isSettled && isBefore && entry.IsCertain, shift));
            }

            if (isSettled && !isBefore)
            {
                _entries[i] = entry with { IsCertain = false };
            }
        }

        return new Stretch(Start + delta, moved);
    }

    /// <summary>
    /// Where bytes begin that no write can have left there; -1 if there are none. After a loss of power only what is durable hides what was there before.
    /// </summary>
    public int FindMismatch(ReadOnlySpan<byte> bytes, long offset, long begun, long ended, bool hasLostPower)
    {
        int at = 0;
        while (at < bytes.Length)
        {
            int matched = 0;
            foreach (Entry entry in _entries)
            {
                if (entry.Begun < ended && Match(entry, bytes[at..], offset + at) is var length && length > matched && !IsHidden(entry, begun, hasLostPower))
                {
                    matched = length;
                }
            }

            if (matched == 0)
            {
                return at;
            }

            at += matched;
        }

        return -1;
    }

    /// <summary>As <see cref="FindMismatch"/>, but only where the newest write is certain, durable, and alone.</summary>
    public int FindLoss(ReadOnlySpan<byte> bytes, long offset)
    {
        Entry? durable = null;
        foreach (Entry entry in _entries)
        {
            if (entry.IsCertain && entry.Write.Durable != WriteRecord.Never && (durable is null || entry.Begun > durable.Value.Begun))
            {
                durable = entry;
            }
        }

        if (durable is not { } last || _entries.Exists(e => e != last && e.Ended > last.Begun))
        {
            return -1;
        }

        int matched = Match(last, bytes, offset);
        return matched == bytes.Length ? -1 : matched;
    }

    public string Describe(long begun, long ended) => string.Join(
        ", ",
        _entries.Where(e => e.Begun < ended && !IsHidden(e, begun)).Select(e => string.Create(
            CultureInfo.InvariantCulture, $"{e.Write} ({(e.Write.IsInFlight ? "in flight" : e.IsCertain ? "completed" : "failed in part")})")));

    private static int Match(in Entry entry, ReadOnlySpan<byte> bytes, long offset)
    {
        if (entry.Write.IsZero)
        {
            int other = bytes.IndexOfAnyExcept((byte)0);
            return other < 0 ? bytes.Length : other;
        }

        return entry.Write.Copy is { } copy ? copy.Match(bytes, offset - entry.Base) : Tag.Match(bytes, entry.Write.Number, offset - entry.Base);
    }

    /// <summary>Whether a write that began after this one ended, and had ended before the read began, is there for certain.</summary>
    private bool IsHidden(in Entry entry, long readBegun, bool onlyIfDurable = false)
    {
        foreach (Entry later in _entries)
        {
            if (later.IsCertain && later.Begun > entry.Ended && later.Ended < readBegun && (later.IsDurable || !onlyIfDurable))
            {
                return true;
            }
        }

        return false;
    }
}
