namespace Penstock.Simulation.Judging;

/// <summary>
/// How long a file can be: exactly known while nothing that changes it is in flight, else from the smallest to the largest that the changes since
/// then allow.
/// </summary>
internal sealed class SizeBounds(Func<long> actual)
{
    private readonly List<Claim> _claims = [];
    private long _base;
    private int _cutsInFlight;
    private long _lastCutEnded = -1;

    /// <summary>The smallest that the size can be now.</summary>
    public long Min { get; private set; }

    /// <summary>The largest that the size can be now.</summary>
    public long Max
    {
        get
        {
            long fixedMost = _base;
            long added = 0;
            foreach (Claim claim in _claims)
            {
                fixedMost = Math.Max(fixedMost, claim.Fixed);
                added += claim.Added;
            }

            return fixedMost + added;
        }
    }

    public int InFlight { get; private set; }

    /// <summary>The largest that the size can ever have been.</summary>
    public long Largest { get; private set; }

    /// <summary>Whether something that makes the file shorter, or moves its bytes, ran beside a change.</summary>
    public bool WasCutBeside(WriteRecord record) => _cutsInFlight > 0 || _lastCutEnded > record.Begun;

    /// <summary>A change begins, after which the size may be <paramref name="fixedSize"/>, or greater by <paramref name="added"/>.</summary>
    public void Begin(WriteRecord record, long fixedSize, long added = 0)
    {
        InFlight++;
        _claims.Add(new Claim(record, fixedSize, added));
        Largest = Math.Max(Largest, Max);
    }

    /// <summary>The change may make the file as short as this.</summary>
    public void BeginCut(long size)
    {
        _cutsInFlight++;
        Min = Math.Min(Min, Math.Max(0, size));
    }

    public void EndCut(long now)
    {
        _cutsInFlight--;
        _lastCutEnded = now;
    }

    /// <summary>Whether all changes since the size was last known are appends, which add up.</summary>
    public bool AddsUp(WriteRecord record) => !WasCutBeside(record) && _claims.TrueForAll(static c => c.Write.IsAppend);

    /// <summary>
    /// The change has ended (its record says when): the size is at least <paramref name="least"/>, and because of it at most
    /// <paramref name="fixedSize"/>, or greater by <paramref name="added"/>. With <paramref name="exact"/>, and if nothing else changed the size
    /// beside it, the size is that.
    /// </summary>
    public string? End(WriteRecord record, long least, long fixedSize, long added = 0, long exact = -1)
    {
        bool isAlone = !_claims.Exists(c => c.Write != record && c.Write.Ended > record.Begun);
        int index = _claims.FindIndex(c => c.Write == record);
        _claims[index] = new Claim(record, fixedSize, added);
        InFlight--;
        if (exact >= 0 && isAlone)
        {
            Min = _base = exact;
            _claims.Clear();
        }
        else if (!WasCutBeside(record))
        {
            Min = Math.Max(Min, least);
        }

        return InFlight == 0 ? Settle() : null;
    }

    /// <summary>Nothing is in flight: from here on the size is known. Why it cannot be what it is, or null.</summary>
    private string? Settle()
    {
        long size = actual();
        string? problem = size < Min || size > Max ? $"the size is {size}, but must be from {Min} to {Max}" : null;
        _base = Min = size;
        _claims.Clear();
        return problem;
    }

    private readonly record struct Claim(WriteRecord Write, long Fixed, long Added);
}
