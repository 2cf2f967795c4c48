namespace Penstock.Stress.Fsx;

/// <summary>Chance from a seed: the same on every machine and in every version of the runtime.</summary>
internal sealed class SeededChance(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>From 0 to below <paramref name="limit"/>.</summary>
    public long Below(long limit) => limit <= 1 ? 0 : (long)(Next() % (ulong)limit);

    /// <summary>True so many times in a hundred.</summary>
    public bool Percent(int percent) => Below(100) < percent;
}
