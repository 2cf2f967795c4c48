namespace Penstock.Ext4.Checking;

/// <summary>What a walk of an inode's map has met: told to the log of a check, or kept, in a repair, for who decides what becomes of it.</summary>
internal sealed class MapFaults(CheckRun run, ContentTally tally)
{
    private const int MostKept = 100;

    /// <summary>In a repair: the first of them.</summary>
    public List<(string Structure, string Place, string Found)> Kept { get; } = [];

    public bool HasAny { get; private set; }

    /// <summary>Another walk begins.</summary>
    public void Clear()
    {
        HasAny = false;
        Kept.Clear();
    }

    public void Report(string structure, string place, string found)
    {
        HasAny = true;
        if (tally.IsSilent)
        {
            return;
        }

        if (run.Repair is null)
        {
            run.Log.Problem(structure, place, found);
        }
        else if (Kept.Count < MostKept)
        {
            Kept.Add((structure, place, found));
        }
    }
}
