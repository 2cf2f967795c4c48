using System.Numerics;

namespace Penstock.Ext4.Checking;

/// <summary>
/// A set of blocks or clusters of the whole volume, which takes memory only for what is scattered: in each stretch of 32768, first a few runs, and
/// a bitmap once the runs are many. Any thread may use it.
/// </summary>
internal sealed class UnitMap
{
    private const int LogStretch = 15;
    private const int Stretch = 1 << LogStretch;
    private const int MaxRuns = 48;
    private const int LatchCount = 64;

    // A stretch is null (empty), ushort[] (sorted begin and last of each run, the number of runs before them), or ulong[] (a bitmap).
    private readonly Array?[] _stretches;
    private readonly object[] _latches = new object[LatchCount];

    public UnitMap(ulong length)
    {
        Length = length;
        _stretches = new Array?[(int)((length + Stretch - 1) >> LogStretch)];
        for (int i = 0; i < LatchCount; i++)
        {
            _latches[i] = new object();
        }
    }

    public ulong Length { get; }

    public bool Contains(ulong unit)
    {
        int index = (int)(unit >> LogStretch);
        lock (_latches[index % LatchCount])
        {
            return _stretches[index] switch
            {
                null => false,
                ulong[] bits => (bits[(int)(unit & (Stretch - 1)) >> 6] >> (int)(unit & 63) & 1) != 0,
                ushort[] runs => FindRun(runs, (int)(unit & (Stretch - 1))) >= 0,
                _ => false,
            };
        }
    }

    /// <summary>Adds units; those that were there already are added to <paramref name="twice"/>, if there is one.</summary>
    /// <returns>Whether none of them was there.</returns>
    public bool Add(ulong first, ulong count, UnitMap? twice = null)
    {
        bool isNew = true;
        while (count > 0)
        {
            int index = (int)(first >> LogStretch);
            int begin = (int)(first & (Stretch - 1));
            int length = (int)Math.Min(count, (ulong)(Stretch - begin));
            isNew &= AddInStretch(index, begin, begin + length - 1, twice);
            first += (uint)length;
            count -= (uint)length;
        }

        return isNew;
    }

    /// <summary>Whether any of the units is in the set.</summary>
    public bool Intersects(ulong first, ulong count)
    {
        for (ulong unit = first; unit < first + count; unit++)
        {
            int index = (int)(unit >> LogStretch);
            if (_stretches[index] is null)
            {
                unit |= Stretch - 1;
                continue;
            }

            if (Contains(unit))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The units from <paramref name="first"/> on as bits, the lowest bit of the first byte first.</summary>
    public void CopyTo(ulong first, int count, Span<byte> destination)
    {
        destination[..((count + 7) / 8)].Clear();
        for (int done = 0; done < count;)
        {
            ulong unit = first + (uint)done;
            int index = (int)(unit >> LogStretch);
            int begin = (int)(unit & (Stretch - 1));
            int length = Math.Min(count - done, Stretch - begin);
            lock (_latches[index % LatchCount])
            {
                CopyStretch(_stretches[index], begin, length, destination, done);
            }

            done += length;
        }
    }

    /// <summary>How many units are in the set.</summary>
    public ulong CountAll()
    {
        ulong sum = 0;
        foreach (Array? stretch in _stretches)
        {
            switch (stretch)
            {
                case ulong[] bits:
                    foreach (ulong word in bits)
                    {
                        sum += (ulong)BitOperations.PopCount(word);
                    }

                    break;
                case ushort[] runs:
                    for (int i = 0; i < runs[0]; i++)
                    {
                        sum += (ulong)(runs[(2 * i) + 2] - runs[(2 * i) + 1] + 1);
                    }

                    break;
                default:
                    break;
            }
        }

        return sum;
    }

    private static void CopyStretch(Array? stretch, int begin, int length, Span<byte> destination, int at)
    {
        if (stretch is ushort[] runs)
        {
            for (int i = 0; i < runs[0]; i++)
            {
                int from = Math.Max(runs[(2 * i) + 1], begin);
                int to = Math.Min(runs[(2 * i) + 2], begin + length - 1);
                Fill(destination, at + from - begin, to - from + 1);
            }
        }
        else if (stretch is ulong[] bits)
        {
            if (((begin | at | length) & 7) == 0)
            {
                System.Runtime.InteropServices.MemoryMarshal.AsBytes(bits.AsSpan()).Slice(begin / 8, length / 8).CopyTo(destination[(at / 8)..]);
                return;
            }

            for (int i = 0; i < length; i++)
            {
                int bit = begin + i;
                if ((bits[bit >> 6] >> (bit & 63) & 1) != 0)
                {
                    destination[(at + i) >> 3] |= (byte)(1 << ((at + i) & 7));
                }
            }
        }
    }

    /// <summary>Sets bits of a bitmap.</summary>
    public static void Fill(Span<byte> bitmap, int first, int count)
    {
        for (int i = first; i < first + count;)
        {
            if ((i & 7) == 0 && first + count - i >= 8)
            {
                int bytes = (first + count - i) / 8;
                bitmap.Slice(i >> 3, bytes).Fill(0xFF);
                i += bytes * 8;
                continue;
            }

            bitmap[i >> 3] |= (byte)(1 << (i & 7));
            i++;
        }
    }

    private bool AddInStretch(int index, int begin, int last, UnitMap? twice)
    {
        lock (_latches[index % LatchCount])
        {
            Array? stretch = _stretches[index];
            if (stretch is null)
            {
                _stretches[index] = new ushort[] { 1, (ushort)begin, (ushort)last, 0, 0 };
                return true;
            }

            if (stretch is ushort[] runs && TryAddRun(index, runs, begin, last))
            {
                return true;
            }

            ulong[] bits = ToBits(stretch);
            _stretches[index] = bits;
            return AddBits(bits, begin, last, (ulong)index << LogStretch, twice);
        }
    }

    /// <summary>Adds a run that overlaps none, if there is room; joins it with a neighbour that it touches.</summary>
    private bool TryAddRun(int index, ushort[] runs, int begin, int last)
    {
        int count = runs[0];
        int at = ~FindRun(runs, begin);
        if (at < 0 || (at < count && runs[(2 * at) + 1] <= last))
        {
            return false;
        }

        bool joinsBefore = at > 0 && runs[(2 * (at - 1)) + 2] + 1 == begin;
        bool joinsAfter = at < count && last + 1 == runs[(2 * at) + 1];
        if (joinsBefore)
        {
            runs[(2 * (at - 1)) + 2] = joinsAfter ? runs[(2 * at) + 2] : (ushort)last;
            if (joinsAfter)
            {
                runs.AsSpan((2 * at) + 3, 2 * (count - at - 1)).CopyTo(runs.AsSpan((2 * at) + 1));
                runs[0]--;
            }

            return true;
        }

        if (joinsAfter)
        {
            runs[(2 * at) + 1] = (ushort)begin;
            return true;
        }

        if (count == MaxRuns)
        {
            return false;
        }

        ushort[] target = runs;
        if ((2 * count) + 3 > runs.Length)
        {
            target = new ushort[Math.Min((2 * MaxRuns) + 1, (4 * count) + 1)];
            runs.AsSpan(0, (2 * at) + 1).CopyTo(target);
            _stretches[index] = target;
        }

        runs.AsSpan((2 * at) + 1, 2 * (count - at)).CopyTo(target.AsSpan((2 * at) + 3));
        (target[(2 * at) + 1], target[(2 * at) + 2]) = ((ushort)begin, (ushort)last);
        target[0]++;
        return true;
    }

    /// <summary>The run that holds a unit, or the complement of where one with it would go.</summary>
    private static int FindRun(ushort[] runs, int unit)
    {
        int low = 0;
        int high = runs[0] - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (runs[(2 * middle) + 2] < unit)
            {
                low = middle + 1;
            }
            else if (runs[(2 * middle) + 1] > unit)
            {
                high = middle - 1;
            }
            else
            {
                return middle;
            }
        }

        return ~low;
    }

    private static bool AddBits(ulong[] bits, int begin, int last, ulong origin, UnitMap? twice)
    {
        bool isNew = true;
        for (int word = begin >> 6; word <= last >> 6; word++)
        {
            ulong mask = ulong.MaxValue;
            mask &= word == begin >> 6 ? ulong.MaxValue << (begin & 63) : ulong.MaxValue;
            mask &= word == last >> 6 ? ulong.MaxValue >> (63 - (last & 63)) : ulong.MaxValue;
            ulong both = bits[word] & mask;
            isNew &= both == 0;
            for (ulong rest = both; rest != 0 && twice is not null; rest &= rest - 1)
            {
                twice.Add(origin + ((uint)word * 64) + (uint)BitOperations.TrailingZeroCount(rest), 1);
            }

            bits[word] |= mask;
        }

        return isNew;
    }

    private static ulong[] ToBits(Array stretch)
    {
        if (stretch is ulong[] bits)
        {
            return bits;
        }

        var runs = (ushort[])stretch;
        var made = new ulong[Stretch / 64];
        for (int i = 0; i < runs[0]; i++)
        {
            AddBits(made, runs[(2 * i) + 1], runs[(2 * i) + 2], 0, null);
        }

        return made;
    }
}
