using System.Globalization;

namespace Penstock.Simulation.Judging;

/// <summary>
/// What one file may hold and how long it may be, told of every operation as it is submitted and as it completes: the model beside the real
/// thing (invariants 3.1 to 3.4, 3.8, 3.9, 3.12).
/// </summary>
/// <param name="number">The file's number.</param>
/// <param name="actualSize">How long the file is now.</param>
/// <param name="mayLosePower">Whether what a loss of power could bring back is to be remembered.</param>
internal sealed class FileJudge(int number, Func<long> actualSize, bool mayLosePower = false)
{
    private readonly ByteHistories _bytes = new(mayLosePower);
    private readonly SizeBounds _size = new(actualSize);
    private readonly List<WriteRecord> _floating = [];
    private readonly List<WriteRecord> _appends = [];
    private readonly List<WriteRecord> _recent = [];
    private readonly List<WriteRecord> _durable = [];
    private long _lastCutBegun = -1;
    private readonly List<ReadTicket> _reads = [];
    private long _now;
    private WriteRecord? _shift;
    private long _lastShiftEnded = -1;
    private bool _hasOtherChanges;

    public int Number => number;

    /// <summary>What can be found where.</summary>
    public ByteHistories Bytes => _bytes;

    /// <summary>Whether a collapse or insert is in flight. The judge follows one at a time.</summary>
    public bool IsShifting => _shift is not null;

    private long OldestRead => _reads.Count == 0 ? _now + 1 : _reads.Min(static r => r.Begun);

    public ReadTicket BeginRead(long offset, long length)
    {
        var ticket = new ReadTicket { Offset = offset, Length = length, Begun = ++_now, MinSize = _size.Min, MaxSize = _size.Max };
        _reads.Add(ticket);
        return ticket;
    }

    /// <summary>Judges what was read; null if it is right. A failed read transferred <paramref name="bytes"/> for all that.</summary>
    public string? EndRead(ReadTicket ticket, ReadOnlySpan<byte> bytes, bool hasFailed)
    {
        string? problem = JudgeRead(ticket, bytes, hasFailed, ++_now);
        _reads.Remove(ticket);
        return problem;
    }

    private string? JudgeRead(ReadTicket ticket, ReadOnlySpan<byte> bytes, bool hasFailed, long ended)
    {
        if (JudgeCount(ticket, bytes.Length, hasFailed) is { } wrong)
        {
            return wrong;
        }

        while (_bytes.Judge(bytes, ticket.Offset, ticket.Begun, ended) is { } mismatch)
        {
            ReadOnlySpan<byte> there = bytes[(int)(mismatch.Offset - ticket.Offset)..];
            if (!TryPlace(there, mismatch.Offset, ended, out string? problem))
            {
                if (problem is null && _floating.Count > 0 && !(Tag.TryRead(there, out _, out long start) && start >= 0))
                {
                    // Too few bytes to say which of the appends, whose places nobody knows yet, they are of.
                    return null;
                }

                return problem ?? Say($"byte {mismatch.Offset} was read as {Tag.Describe(there)}, but could only be of {mismatch.Allowed}");
            }
        }

        return null;
    }

    /// <summary>A range of the file is to be copied elsewhere.</summary>
    public CopySource BeginCopy(long offset, long length) => new(this, BeginRead(offset, length));

    /// <summary>The copy has ended, so many bytes long. Why that cannot be, or null.</summary>
    public string? EndCopy(CopySource copy, long bytes, bool hasFailed)
    {
        ReadTicket ticket = copy.Ticket;
        copy.Keep(_bytes.Keep(ticket.Offset, ticket.Offset + ticket.Length), ++_now, _floating.Count > 0);
        _reads.Remove(ticket);
        return JudgeCount(ticket, bytes, hasFailed);
    }

    public WriteRecord BeginWrite(long write, long offset, long length, bool isAppend, CopySource? copy = null)
    {
        var record = new WriteRecord
        {
            Number = write, Offset = isAppend ? -1 : offset, Length = length, IsAppend = isAppend, Begun = ++_now, SizeAtBegin = _size.Min, Copy = copy,
        };
        _size.Begin(record, isAppend ? 0 : offset + length, isAppend ? length : 0);
        _recent.Add(record);
        if (isAppend)
        {
            _floating.Add(record);
            _appends.Add(record);
        }
        else
        {
            _hasOtherChanges = true;
            AddEntry(record, offset, offset + length);
        }

        RaiseReads();
        return record;
    }

    /// <summary>
    /// The write has returned, having transferred so many bytes; a failed one may have extended the file all the same where its data had landed
    /// before it failed. Why that cannot be, or null.
    /// </summary>
    public string? EndWrite(WriteRecord record, long transferred, bool mayHaveExtended)
    {
        record.Certain = IsShiftedBeside(record) ? 0 : transferred;
        string? problem = transferred > record.Length ? Say($"{record} of {record.Length} bytes returned {transferred}") : JudgeSizeAfter(record, transferred);
        if (record.Offset >= 0)
        {
            Place(record);
        }

        long claimed = mayHaveExtended ? record.Length : transferred;
        record.Ended = ++_now;
        if (record.IsAppend)
        {
            // Appends among themselves add up (invariant 3.9); beside other changes only what was there as it began is known.
            long before = _size.AddsUp(record) ? _size.Min : record.SizeAtBegin;
            return problem ?? _size.End(record, before + transferred, 0, claimed);
        }

        long least = transferred == 0 ? 0 : record.Offset + transferred;
        string? wrong = _size.End(record, least, claimed == 0 ? 0 : record.Offset + claimed);
        if (_size.InFlight == 0 && transferred < record.Length && _reads.Count == 0)
        {
            // What a failed write may have left beyond the end is no part of the file: whoever extends it later makes zeros of it (Rule 2.11).
            _bytes.Forget(record, Math.Max(actualSize(), record.Offset + transferred));
        }

        return wrong is null ? problem : problem ?? Say($"after {record}: {wrong}");
    }

    /// <summary>A range is to read as zeros; the file may become longer by it.</summary>
    public WriteRecord BeginZeros(long start, long end, long growsTo)
    {
        var record = new WriteRecord { IsZero = true, Offset = start, Length = end - start, Begun = ++_now, SizeAtBegin = _size.Min };
        _hasOtherChanges = true;
        _recent.Add(record);
        _size.Begin(record, growsTo);
        AddEntry(record, start, end);
        RaiseReads();
        return record;
    }

    public string? EndZeros(WriteRecord record, bool isDone, long growsTo)
    {
        _bytes.Settle(record, record.Offset, record.Offset + record.Length, isDone && !IsShiftedBeside(record));
        record.Ended = ++_now;
        return _size.End(record, isDone ? growsTo : 0, growsTo);
    }

    /// <summary>The file is cut or extended to a size.</summary>
    public WriteRecord BeginSetSize(long size)
    {
        _size.BeginCut(size);
        _lastCutBegun = _now;
        LowerReads();
        return BeginZeros(size, long.MaxValue, size);
    }

    public string? EndSetSize(WriteRecord record, bool isDone)
    {
        _bytes.Settle(record, record.Offset, long.MaxValue, isDone && !IsShiftedBeside(record));
        record.Ended = ++_now;
        _size.EndCut(record.Ended);
        return _size.End(record, 0, record.Offset, exact: isDone ? record.Offset : -1) is { } problem ? Say($"after a change of size: {problem}") : null;
    }

    /// <summary>A range is taken out (negative length) or put in. Reads meanwhile may see either.</summary>
    public WriteRecord BeginShift(long offset, long length)
    {
        long exact = _size.InFlight == 0 ? _size.Min + length : -1;
        var record = new WriteRecord { IsZero = true, Offset = offset, Length = length, Begun = ++_now, SizeAtBegin = exact };
        _hasOtherChanges = true;
        _size.BeginCut(length < 0 ? _size.Min + length : _size.Min);
        LowerReads();
        _lastCutBegun = _now;
        _bytes.Shift(record, isSettled: false);
        _shift = record;
        _size.Begin(record, 0, Math.Max(length, 0));
        RaiseReads();
        return record;
    }

    public string? EndShift(WriteRecord record, bool isDone)
    {
        record.Ended = ++_now;
        if (isDone)
        {
            _bytes.Shift(record, isSettled: true);
        }

        _shift = null;
        _lastShiftEnded = record.Ended;
        _size.EndCut(record.Ended);
        long added = isDone ? Math.Max(record.Length, 0) : 0;
        return _size.End(record, 0, 0, added, isDone ? record.SizeAtBegin : -1) is { } problem ? Say($"after a shift: {problem}") : null;
    }

    /// <summary>Everything is quiet and all of the file has been read: appends must have been found. Why they cannot have been, or null.</summary>
    public string? JudgeAppends()
    {
        WriteRecord? lost = _hasOtherChanges ? null : _floating.Find(static f => f.Certain > 0);
        return lost is null ? null : Say($"the append {lost}, of {lost.Certain} bytes, is nowhere in the file");
    }

    /// <summary>A moment: every begin and end is at its own.</summary>
    public long Moment() => ++_now;

    /// <summary>A sync that began at a moment has succeeded: every write that had ended before is durable.</summary>
    public void MakeDurable(long moment)
    {
        foreach (WriteRecord record in _recent)
        {
            if (record.Ended < moment)
            {
                record.Durable = Math.Min(record.Durable, _now);
            }
        }

        TakeDurable();
    }

    /// <summary>A write that was to be durable before it returned has succeeded.</summary>
    public void MakeDurable(WriteRecord record)
    {
        record.Durable = ++_now;
        TakeDurable();
    }

    /// <summary>After a loss of power: what was read must hold everything that is durable. Why it does not, or null.</summary>
    public string? JudgeDurable(ReadOnlySpan<byte> bytes, long offset) => _bytes.JudgeDurable(bytes, offset) is { } loss
        ? Say($"byte {loss.Offset} is {Tag.Describe(bytes[(int)(loss.Offset - offset)..])} after a loss of power, but {loss.Allowed} was acknowledged as durable")
        : null;

    /// <summary>After a recovery by journal: what was read must be something that was written there, and nothing older than what is durable. Why it is not, or null.</summary>
    public string? JudgeRecovered(ReadOnlySpan<byte> bytes, long offset)
    {
        while (_bytes.JudgeRecovered(bytes, offset) is { } mismatch)
        {
            ReadOnlySpan<byte> there = bytes[(int)(mismatch.Offset - offset)..];
            if (!TryPlace(there, mismatch.Offset, long.MaxValue, out string? problem))
            {
                return problem is null && _floating.Count > 0 && !(Tag.TryRead(there, out _, out long start) && start >= 0) ? null
                    : problem ?? Say($"byte {mismatch.Offset} is {Tag.Describe(there)} after a recovery, but could only be of {mismatch.Allowed}");
            }
        }

        return null;
    }

    /// <summary>How long the file must be after a loss of power.</summary>
    public long DurableSize() => _durable.Where(r => r.Begun > _lastCutBegun && r.Certain > 0)
        .Select(static r => (r.IsAppend && r.Offset < 0 ? r.SizeAtBegin : r.Offset) + r.Certain).DefaultIfEmpty().Max();

    /// <summary>The longest that the file can be after a loss of power.</summary>
    public long LargestSize => _size.Largest;

    private void TakeDurable()
    {
        _durable.AddRange(_recent.Where(static r => r.Durable != WriteRecord.Never && !r.IsZero));
        _recent.RemoveAll(static r => r.Durable != WriteRecord.Never);
    }

    private static string? JudgeCount(ReadTicket ticket, long bytes, bool hasFailed)
    {
        long least = Math.Clamp(ticket.MinSize - ticket.Offset, 0, ticket.Length);
        long most = Math.Clamp(ticket.MaxSize - ticket.Offset, 0, ticket.Length);
        return bytes > most || (bytes < least && !hasFailed)
            ? Say($"a read of {ticket.Length} bytes at {ticket.Offset} returned {bytes}, but the size was from {ticket.MinSize} to {ticket.MaxSize}")
            : null;
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private bool IsShiftedBeside(WriteRecord record) => _shift is not null || _lastShiftEnded > record.Begun;

    /// <summary>A write may be found in a range from now on, and where a shift that is in flight would bring it.</summary>
    private void AddEntry(WriteRecord record, long start, long end)
    {
        var entry = new Entry(record, start, IsCertain: false);
        _bytes.Add(entry, start, end, OldestRead);
        if (_shift is { } shift)
        {
            _bytes.AddShifted(shift, entry, start, end);
        }
    }

    private string? JudgeSizeAfter(WriteRecord record, long transferred)
    {
        if (transferred == 0 || _size.WasCutBeside(record))
        {
            return null;
        }

        // Invariant 3.8.
        long least = record.IsAppend ? record.SizeAtBegin + transferred : record.Offset + transferred;
        return actualSize() < least ? Say($"{record} has transferred up to byte {least}, but the size is {actualSize()}") : null;
    }

    private void Place(WriteRecord record)
    {
        long certainEnd = record.Offset + record.Certain;
        _bytes.Settle(record, record.Offset, certainEnd, isCertain: true);
        _bytes.Settle(record, certainEnd, record.Offset + record.Length, isCertain: false);
    }

    /// <summary>Bytes that nothing known explains may be those of an append whose place was not known: now it is.</summary>
    private bool TryPlace(ReadOnlySpan<byte> bytes, long offset, long ended, out string? problem)
    {
        problem = null;
        if (FindFloating(bytes, out long start) is not { } record || record.Begun > ended)
        {
            return false;
        }

        long place = offset - start;
        if (IsShiftedBeside(record))
        {
            // Parts of it may have been moved apart: each is found where it is.
            var somewhere = new WriteRecord { Begun = record.Begun };
            _bytes.Add(new Entry(record, place, IsCertain: false, somewhere), Math.Max(place, 0), place + record.Length, OldestRead);
            return true;
        }

        if (place < 0)
        {
            return false;
        }

        _floating.Remove(record);
        record.Offset = place;
        AddEntry(record, place, place + record.Length);
        if (!record.IsInFlight)
        {
            Place(record);
        }

        foreach (WriteRecord other in _appends)
        {
            bool mayHaveBeenCut = _size.WasCutBeside(other) || _size.WasCutBeside(record);
            if (other != record && other.Offset >= 0 && !mayHaveBeenCut && other.Certain > 0 && record.Certain > 0
                && place < other.Offset + other.Certain && other.Offset < place + record.Certain)
            {
                problem = Say($"the appends {record} at {place} and {other} at {other.Offset} overlap");
                return false;
            }
        }

        return true;
    }

    /// <summary>The append whose bytes these are, by a whole word of them or, where it is shorter, by comparing.</summary>
    private WriteRecord? FindFloating(ReadOnlySpan<byte> bytes, out long start)
    {
        if (Tag.TryRead(bytes, out long write, out start) && start >= 0 && _floating.Find(f => f.Number == write) is { } found)
        {
            return found;
        }

        const int Enough = 6;
        foreach (WriteRecord record in _floating)
        {
            // Fewer bytes than this, at the end of an append for example, may be anybody's: a wrong place is worse than none.
            long least = Math.Min(record.Length, Enough);
            for (start = 0; start <= record.Length - least; start++)
            {
                if (Tag.Match(bytes, record.Number, start) >= least)
                {
                    return record;
                }
            }
        }

        return null;
    }

    private void RaiseReads()
    {
        if (_reads.Count > 0)
        {
            long size = _size.Max;
            foreach (ReadTicket read in _reads)
            {
                read.MaxSize = Math.Max(read.MaxSize, size);
            }
        }
    }

    private void LowerReads()
    {
        foreach (ReadTicket read in _reads)
        {
            read.MinSize = Math.Min(read.MinSize, _size.Min);
        }
    }
}

/// <summary>A read that is under way.</summary>
internal sealed class ReadTicket
{
    public required long Offset { get; init; }

    public required long Length { get; init; }

    public required long Begun { get; init; }

    /// <summary>The smallest size the file can have had while the read was under way.</summary>
    public long MinSize { get; set; }

    /// <summary>The largest.</summary>
    public long MaxSize { get; set; }
}
