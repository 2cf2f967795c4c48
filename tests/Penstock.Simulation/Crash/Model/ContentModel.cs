using System.Globalization;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Model;

/// <summary>
/// What a file may hold after a loss of power: what was acknowledged as durable, or any change that has begun since. Changes of one file begin one after the
/// other, or do not overlap.
/// </summary>
internal sealed partial class ContentModel
{
    private const int Sector = 512;
    private const int LargestBlock = 4096;

    /// <summary>The durable content: pieces of writes in the order of the file, zeros between them.</summary>
    private readonly List<Piece> _base = [];
    private readonly List<ContentOperation> _pending = [];
    private long _baseSize;
    private long _calls;

    /// <summary>The size, were everything to go well.</summary>
    public long Size { get; private set; }

    /// <summary>A write begins. What lies between the end and it becomes zeros.</summary>
    /// <param name="write">Which write the bytes are of.</param>
    /// <param name="offset">Where.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="isAhead">Whether it goes to the device before what earlier writes have left in the cache: then the size may be there before their bytes.</param>
    public ContentOperation BeginWrite(int write, long offset, long length, bool isAhead)
    {
        ContentOperation? gap = offset > Size ? new ContentOperation(ContentChange.Zero, 0, Size, offset - Size) : null;
        if (gap is not null)
        {
            _pending.Add(gap);
        }

        var operation = new ContentOperation(ContentChange.Write, write, offset, length) { IsAhead = isAhead, Gap = gap, Began = ++_calls };
        _pending.Add(operation);
        Size = Math.Max(Size, operation.End);
        return operation;
    }

    public ContentOperation BeginResize(long size)
    {
        // The size is stored by itself: what earlier writes have left in the cache is behind it.
        var operation = new ContentOperation(ContentChange.Resize, 0, Math.Min(size, Size), size - Math.Min(size, Size)) { IsAhead = size > Size };
        _pending.Add(operation);
        Size = size;
        return operation;
    }

    public ContentOperation BeginZero(long offset, long length)
    {
        var operation = new ContentOperation(ContentChange.Zero, 0, offset, length);
        _pending.Add(operation);
        return operation;
    }

    /// <summary>An operation is acknowledged: so much of it was done, durably or not.</summary>
    public void End(ContentOperation operation, long done, bool isDurable, long sizeNow)
    {
        operation.Length = operation.Change == ContentChange.Write ? Math.Min(operation.Length, done) : operation.Length;
        operation.HasEnded = true;
        operation.Ended = ++_calls;
        operation.IsDurable = isDurable;
        if (operation.Gap is { } gap)
        {
            gap.HasEnded = true;
            gap.IsDurable = isDurable;
        }

        Size = sizeNow;
        Settle();
    }

    /// <summary>An operation failed: any part of it may have been done, and nothing of it is ever promised.</summary>
    public void Fail(ContentOperation operation, long sizeNow)
    {
        operation.HasFailed = true;
        operation.HasEnded = true;
        Size = sizeNow;
    }

    /// <summary>What a sync that begins now will cover.</summary>
    public ContentOperation[] BeginSync() => [.. _pending.Where(static o => o.HasEnded && !o.HasFailed)];

    public void EndSync(ContentOperation[] covered)
    {
        foreach (ContentOperation operation in covered)
        {
            operation.IsDurable = true;
        }

        Settle();
    }

    /// <summary>The sizes that the file may have.</summary>
    public (long Least, long Most) Sizes()
    {
        long least = _baseSize;
        long most = _baseSize;
        foreach (ContentOperation operation in _pending)
        {
            switch (operation.Change)
            {
                case ContentChange.Write:
                    most = Math.Max(most, operation.End);
                    least = operation.IsDurable ? Math.Max(least, operation.End) : least;
                    break;
                case ContentChange.Resize when operation.IsDurable:
                    least = most = operation.End;
                    break;
                case ContentChange.Resize:
                    least = Math.Min(least, operation.End);
                    most = Math.Max(most, operation.End);
                    break;
                default:
                    break;
            }
        }

        return (least, most);
    }

    /// <summary>What is wrong with the content of a recovered file, or null.</summary>
    /// <param name="content">All of it.</param>
    /// <param name="isOrdered">Whether also what nobody was promised must be free of others' bytes: with a journal.</param>
    public string? Judge(ReadOnlySpan<byte> content, bool isOrdered)
    {
        (long least, long most) = Sizes();
        if (content.Length < least || (isOrdered && content.Length > most))
        {
            return string.Create(CultureInfo.InvariantCulture, $"it has {content.Length} bytes, but may have {least} to {most}");
        }

        long[] cuts = FindCuts(content.Length);
        for (int i = 0; i + 1 < cuts.Length; i++)
        {
            for (long at = cuts[i]; at < cuts[i + 1];)
            {
                long end = Math.Min(cuts[i + 1], (at / Sector + 1) * Sector);
                if (JudgePiece(content[(int)at..(int)end], at, isOrdered, least) is { } problem)
                {
                    return problem;
                }

                at = end;
            }
        }

        return null;
    }

    /// <summary>Between two of these, what may have touched one byte may have touched all.</summary>
    private long[] FindCuts(long length)
    {
        var cuts = new SortedSet<long> { 0, length, _baseSize };
        foreach (Piece piece in _base)
        {
            cuts.Add(piece.Start);
            cuts.Add(piece.End);
        }

        foreach (ContentOperation operation in _pending)
        {
            cuts.Add(operation.Offset);
            cuts.Add(operation.End);
        }

        return [.. cuts.Where(c => c <= length)];
    }

    private string? JudgePiece(ReadOnlySpan<byte> bytes, long start, bool isOrdered, long least)
    {
        long end = start + bytes.Length;
        bool isOpen = false;
        bool mayBeUnwritten = start >= _baseSize && _pending.Exists(o => o.IsAhead && o.Offset >= end) && IsZero(bytes);
        bool mayBeGarbage = !isOrdered && IsBeside(start, end);
        for (int i = _pending.Count - 1; i >= 0; i--)
        {
            ContentOperation operation = _pending[i];
            if (!operation.Touches(start, end))
            {
                continue;
            }

            if (mayBeUnwritten && !operation.IsDurable)
            {
                return null;
            }

            if (operation.Change == ContentChange.Write ? Tag.Match(bytes, operation.Write, start - operation.Offset) == bytes.Length : IsZero(bytes))
            {
                return null;
            }

            if (operation.IsDurable)
            {
                return isOrdered || !mayBeGarbage ? Complain(bytes, start, operation.Change == ContentChange.Write ? $"write #{operation.Write}" : "zeros", isOpen) : null;
            }

            isOpen = true;
            mayBeGarbage |= operation.Change != ContentChange.Write;
        }

        Piece piece = _base.Find(p => p.Start <= start && p.End >= end);
        bool isHole = piece.Length == 0;
        if (isHole ? start < _baseSize && IsZero(bytes) : Tag.Match(bytes, piece.Write, start - piece.WriteStart) == bytes.Length)
        {
            return null;
        }

        // Without a journal only what is durable, or overwritten in its place, is promised.
        bool isPromised = isOrdered || (end <= least && !mayBeGarbage);
        string wanted = start >= _baseSize ? "one of the writes since" : isHole ? "zeros" : $"write #{piece.Write}";
        return isPromised ? Complain(bytes, start, wanted, isOpen) : null;
    }

    /// <summary>Whether something that may be garbage touches the blocks of a range: what is new, or what was zeros and is being written or cut.</summary>
    private bool IsBeside(long start, long end)
    {
        long first = start / LargestBlock * LargestBlock;
        long last = (end + LargestBlock - 1) / LargestBlock * LargestBlock;
        return _pending.Exists(o => !o.IsDurable && o.Touches(first, last) && (o.Change != ContentChange.Write || !IsWritten(first, Math.Min(last, _baseSize))));
    }

    private bool IsWritten(long start, long end)
    {
        foreach (Piece piece in _base)
        {
            if (piece.Start <= start && piece.End > start)
            {
                start = piece.End;
            }
        }

        return start >= end;
    }

    private static string Complain(ReadOnlySpan<byte> bytes, long start, string wanted, bool isOpen) => string.Create(
        CultureInfo.InvariantCulture, $"its byte {start} is {Tag.Describe(bytes)}, not {wanted}{(isOpen ? " or what was written later" : ", which is durable")}");

    private static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);

    /// <summary>What begins the list and is durable becomes the base.</summary>
    private void Settle()
    {
        while (_pending.Count > 0 && _pending[0].IsDurable)
        {
            ContentOperation operation = _pending[0];
            _pending.RemoveAt(0);
            Cut(operation.Offset, operation.Change == ContentChange.Resize ? long.MaxValue : operation.End);
            switch (operation.Change)
            {
                case ContentChange.Write when operation.Length > 0:
                    _base.Add(new Piece(operation.Offset, operation.End, operation.Write, operation.Offset));
                    _base.Sort(static (a, b) => a.Start.CompareTo(b.Start));
                    _baseSize = Math.Max(_baseSize, operation.End);
                    break;
                case ContentChange.Resize:
                    _baseSize = operation.End;
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Takes a range out of the base.</summary>
    private void Cut(long start, long end)
    {
        for (int i = _base.Count - 1; i >= 0; i--)
        {
            Piece piece = _base[i];
            if (piece.Start >= end || piece.End <= start)
            {
                continue;
            }

            _base.RemoveAt(i);
            if (piece.End > end)
            {
                _base.Insert(i, piece with { Start = end });
            }

            if (piece.Start < start)
            {
                _base.Insert(i, piece with { End = start });
            }
        }
    }

    /// <summary>A piece of a write that is in the file; the write began at <paramref name="WriteStart"/>.</summary>
    private readonly record struct Piece(long Start, long End, int Write, long WriteStart)
    {
        public long Length => End - Start;
    }
}
