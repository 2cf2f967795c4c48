namespace Penstock.Stress.Fsx;

/// <summary>What the target can do, as it was found, and what it refuses.</summary>
internal sealed class TargetAbilities
{
    private readonly SortedSet<string> _refused = new(StringComparer.Ordinal);

    /// <summary>The alignment of direct I/O in bytes; 0: there is none.</summary>
    public int DirectAlignment { get; set; }

    /// <summary>What ranges are multiples of that are taken out or put in, in bytes.</summary>
    public int ShiftAlignment { get; set; }

    /// <summary>Kinds and modes that the target refuses, by their words. Any thread.</summary>
    public IReadOnlyList<string> Refused
    {
        get
        {
            lock (_refused)
            {
                return [.. _refused];
            }
        }
    }

    public void Refuse(string word)
    {
        lock (_refused)
        {
            _refused.Add(word);
        }
    }

    public bool IsRefused(string word)
    {
        lock (_refused)
        {
            return _refused.Contains(word);
        }
    }
}
