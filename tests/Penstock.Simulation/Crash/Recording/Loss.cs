using System.Globalization;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Recording;

/// <summary>A moment at which the power may go: what is stable, and the writes of which any may be lost.</summary>
/// <param name="stable">What cannot be lost.</param>
/// <param name="writes">What came after, in order.</param>
/// <param name="sectorsInUnit">How many sectors the device never tears: one, or those of a block where there is no journal to mend it.</param>
internal sealed class Loss(ChunkMemory stable, IReadOnlyList<LoggedWrite> writes, int sectorsInUnit)
{
    private const int LinesTold = 60;

    /// <summary>
    /// The two sectors of the superblock are there together or not at all. Its checksum is in the second and what it protects in the first, and it is written in
    /// its place by every implementation of the format: a device that tears it leaves what only a backup can mend.
    /// </summary>
    private const long SuperblockSector = 2;

    private readonly int[] _open = [.. Enumerable.Range(0, writes.Count).Where(i => !writes[i].IsStable)];
    private readonly Fate[] _fates = new Fate[writes.Count];

    /// <summary>How many writes may be lost.</summary>
    public int OpenWrites => _open.Length;

    /// <summary>Which kinds of state there are at all: with nothing to lose, one.</summary>
    public int Kinds => _open.Length == 0 ? 1 : Enum.GetValues<LossKind>().Length;

    /// <summary>Chooses what becomes of each write.</summary>
    public void Choose(LossKind kind, Chance chance)
    {
        Array.Fill(_fates, Fate.Kept);
        int one = _open.Length == 0 ? -1 : _open[chance.Next(_open.Length)];
        int share = chance.Of(32, 128, 224);
        foreach (int i in _open)
        {
            _fates[i] = kind switch
            {
                LossKind.Nothing => Fate.Lost,
                LossKind.Completed => writes[i].HasCompleted ? Fate.Kept : Fate.Lost,
                LossKind.Prefix => i <= one ? Fate.Kept : Fate.Lost,
                LossKind.AllButOne => i == one ? Fate.Lost : Fate.Kept,
                LossKind.OnlyOne => i == one ? Fate.Kept : Fate.Lost,
                LossKind.Subset => chance.Next(256) < share ? Fate.Kept : Fate.Lost,
                LossKind.OneTorn => i == one ? Tear(chance) : Fate.Kept,
                LossKind.SubsetTorn => chance.Next(256) >= share ? Fate.Lost : chance.OneIn(3) ? Tear(chance) : Fate.Kept,
                _ => Fate.Kept,
            };
        }
    }

    /// <summary>What the device holds then.</summary>
    public ChunkMemory Build()
    {
        ChunkMemory left = stable.Clone();
        for (int i = 0; i < writes.Count; i++)
        {
            LoggedWrite write = writes[i];
            if (_fates[i].IsKept)
            {
                left.Write(write.Offset, write.Bytes);
            }
            else if (!_fates[i].IsLost)
            {
                for (int sector = 0; sector < write.Sectors; sector++)
                {
                    if (IsThere(i, sector))
                    {
                        left.Write(write.Offset + ((long)sector * LoggedWrite.Sector), write.Bytes.AsSpan(sector * LoggedWrite.Sector, LoggedWrite.Sector));
                    }
                }
            }
        }

        return left;
    }

    /// <summary>What became of each write, for people.</summary>
    public IEnumerable<string> Describe()
    {
        for (int at = Math.Max(0, writes.Count - LinesTold); at < writes.Count; at++)
        {
            int i = at;
            string fate = writes[i].IsStable ? "stable" : _fates[i].IsLost ? "LOST  " : _fates[i].IsKept ? "kept  " : "TORN  ";
            string sectors = _fates[i].IsKept || _fates[i].IsLost ? "" : string.Create(
                CultureInfo.InvariantCulture, $", sectors {string.Join(',', Enumerable.Range(0, writes[i].Sectors).Where(s => IsThere(i, s)))} of {writes[i].Sectors} are there");
            yield return $"{fate} {writes[i]}{sectors}";
        }
    }

    private bool IsThere(int index, int sector)
    {
        long first = writes[index].Offset / LoggedWrite.Sector;
        long place = first + sector == SuperblockSector + 1 ? SuperblockSector : first + sector;
        return _fates[index].Has((int)((place / sectorsInUnit) - (first / sectorsInUnit)));
    }

    private static Fate Tear(Chance chance)
    {
        // What is torn in the middle, at one sector, or anyhow.
        int at = chance.Between(1, 7);
        return new Fate(chance.Next(3) switch
        {
            0 => (1UL << at) - 1,
            1 => ~((1UL << at) - 1),
            _ => chance.Next() | 1,
        });
    }
}
