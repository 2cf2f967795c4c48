namespace Penstock.Testing.InMemory;

/// <summary>
/// The model that judges reads (invariants 3.1 to 3.3): for each sector of a file, which writes may be seen. Every write has a number, and
/// fills its bytes with it; zero is the first write of every byte, and truncate and punch are writes of zero.
/// </summary>
internal sealed class ByteHistory(int sectors, int sectorSize)
{
    private readonly List<Write>[] _writes = [.. Enumerable.Range(0, sectors).Select(_ => new List<Write> { new(0, -1, -1) })];
    private long _now;

    public int SectorSize => sectorSize;

    /// <summary>A moment: every begin and end is at its own.</summary>
    public long Tick() => ++_now;

    /// <summary>A write of <paramref name="number"/> (0: of zeros) to the sectors begins.</summary>
    public Write Begin(long number, int first, int count)
    {
        var write = new Write(number, Tick(), long.MaxValue);
        for (int i = first; i < Math.Min(first + count, sectors); i++)
        {
            _writes[i].Add(write);
        }

        return write;
    }

    public void End(Write write) => write.Ended = Tick();

    /// <summary>A write that transferred less: it may or may not be seen in the sectors, for ever.</summary>
    public static void Abandon(Write write) => write.Ended = long.MaxValue;

    /// <summary>Why the sector, read between two moments, cannot hold these bytes; or null.</summary>
    public string? FindViolation(int sector, ReadOnlySpan<byte> bytes, long begun, long ended)
    {
        for (int i = 0; i + 8 <= bytes.Length; i += 8)
        {
            long number = BitConverter.ToInt64(bytes[i..]);
            if (!IsAllowed(sector, number, begun, ended))
            {
                return $"sector {sector}, byte {i}: read {number:x} between {begun} and {ended}, of " +
                    string.Join(", ", _writes[sector].Select(w => $"{w.Number:x}[{w.Begun}..{w.Ended}]"));
            }
        }

        return null;
    }

    private bool IsAllowed(int sector, long number, long begun, long ended)
    {
        foreach (Write write in _writes[sector])
        {
            bool isHidden = _writes[sector].Exists(later => later.Begun > write.Ended && later.Ended < begun);
            if (write.Number == number && write.Begun < ended && !isHidden)
            {
                return true;
            }
        }

        return false;
    }

    internal sealed class Write(long number, long begun, long ended)
    {
        public long Number => number;

        public long Begun => begun;

        public long Ended { get; set; } = ended;
    }
}
