using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>Gives the first files of a new volume their blocks, out of what the group structures leave free.</summary>
internal sealed class SpaceMap
{
    private readonly VolumeGeometry geometry;
    private readonly FlexLayout layout;
    private readonly List<SpaceRun> taken = [];

    public SpaceMap(VolumeGeometry geometry)
    {
        this.geometry = geometry;
        layout = new FlexLayout(geometry);
    }

    /// <summary>What was taken so far, in rising order.</summary>
    public IReadOnlyList<SpaceRun> Taken => taken;

    /// <summary>
    /// Takes blocks, whole clusters of them, from <paramref name="goal"/> on and then from the start: in one run if a flex group on the way
    /// has one that is long enough, else in as few as come.
    /// </summary>
    /// <exception cref="FileSystemException">There are not so many.</exception>
    public List<SpaceRun> Take(ulong count, VolumeBlock goal = default)
    {
        ulong rest = RoundUp(count);
        var found = new List<SpaceRun>();
        uint flexCount = FlexLayout.CountOf(geometry);
        uint start = goal.Value == 0 ? 0 : geometry.GroupOf(goal).Value / geometry.GroupsPerFlex;

        // The flex group of the goal comes twice: what lies behind the goal first, and all of it in the end.
        for (uint step = 0; step <= flexCount && rest > 0; step++)
        {
            List<SpaceRun> gaps = GapsOf((start + step) % flexCount, step == 0 ? goal : default);
            int whole = gaps.FindIndex(gap => gap.Count >= rest);
            foreach (SpaceRun gap in whole >= 0 ? gaps[whole..(whole + 1)] : gaps)
            {
                ulong part = Math.Min(gap.Count, rest);
                if (part > 0)
                {
                    found.Add(new SpaceRun(gap.First, part));
                    taken.Add(new SpaceRun(gap.First, part));
                    rest -= part;
                }
            }
        }

        if (rest > 0)
        {
            throw new FileSystemException(IoFault.NoSpace, "the volume is too small for its journal and first files");
        }

        taken.Sort(static (a, b) => a.First.CompareTo(b.First));
        return found;
    }

    /// <summary>Takes one block (its whole cluster).</summary>
    public VolumeBlock TakeOne() => Take(1)[0].First;

    private List<SpaceRun> GapsOf(uint flex, VolumeBlock from)
    {
        layout.MoveTo(flex);
        uint last = layout.FirstGroup + (uint)layout.Count - 1;
        ulong next = geometry.FirstBlockOf(new BlockGroup(layout.FirstGroup)).Value;
        ulong end = geometry.FirstBlockOf(new BlockGroup(last)).Value + geometry.BlocksIn(new BlockGroup(last));
        var used = new List<SpaceRun>(layout.Runs);
        foreach (SpaceRun run in taken)
        {
            if (run.First.Value < end && run.End.Value > next)
            {
                used.Add(run);
            }
        }

        used.Sort(static (a, b) => a.First.CompareTo(b.First));
        var gaps = new List<SpaceRun>();
        foreach (SpaceRun run in used)
        {
            AddGap(gaps, Math.Max(next, from.Value), run.First.Value);
            next = Math.Max(next, run.End.Value);
        }

        AddGap(gaps, Math.Max(next, from.Value), end);
        return gaps;
    }

    private void AddGap(List<SpaceRun> gaps, ulong first, ulong end)
    {
        ulong start = RoundUp(first - geometry.FirstDataBlock.Value) + geometry.FirstDataBlock.Value;
        if (end > start)
        {
            ulong count = (end - start) & ~((ulong)geometry.ClusterRatio - 1);
            if (count > 0)
            {
                gaps.Add(new SpaceRun(new VolumeBlock(start), count));
            }
        }
    }

    private ulong RoundUp(ulong blocks) => (blocks + (uint)geometry.ClusterRatio - 1) & ~((ulong)geometry.ClusterRatio - 1);
}
