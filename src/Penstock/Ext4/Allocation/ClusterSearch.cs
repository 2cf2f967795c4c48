using System.Buffers;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// Where to take clusters: right behind the file's last block; else the first run near the goal that is long enough for the file to grow; else
/// the longest that a bounded search saw; at last whatever there is, windows of others included.
/// </summary>
internal sealed class ClusterSearch(Ext4Volume volume, BlockAllocator allocator, GroupClusters clusters)
{
    /// <summary>Bitmaps that one allocation looks through for a run of the wanted length before it settles for the longest seen.</summary>
    private const int MaxSearched = 32;

    /// <summary>Groups that one allocation passes by, once it has something to settle for.</summary>
    private const int MaxPassed = 4096;

    /// <summary>Windows that a group remembers; the oldest gives way.</summary>
    private const int MaxWindows = 64;

    /// <summary>A bitmap made by somebody else while the group was being opened is met at most a few times.</summary>
    private const int MaxReopened = 8;

    private VolumeGeometry Geometry => volume.Geometry;

    /// <summary>What is looked for in a group.</summary>
    private enum Aim
    {
        /// <summary>The cluster at the goal, and what is free behind it.</summary>
        AtGoal,

        /// <summary>A run of the wanted length.</summary>
        LongRun,

        /// <summary>The longest run.</summary>
        AnyRun,

        /// <summary>The longest run, windows or not.</summary>
        AnyRunAtAll,
    }

    /// <summary>Finds a run and marks it in use. Empty if nothing is free.</summary>
    public async ValueTask<BlockSpan> TakeAsync(Handle handle, AllocationRequest request)
    {
        LeaveOtherWindow(request);
        BlockGroup start = GoalGroup(request);
        BlockSpan found = default;
        if (request.IsContinuation && Geometry.Contains(request.Goal) && !IsTooHigh(start, request))
        {
            found = await TryGroupAsync(handle, start, request, Aim.AtGoal).ConfigureAwait(false);
        }

        if (found.Count == 0)
        {
            found = await TakeFromAnyGroupAsync(handle, request, start).ConfigureAwait(false);
        }

        return found;
    }

    private BlockGroup GoalGroup(in AllocationRequest request) =>
        Geometry.Contains(request.Goal) && request.Goal.Value <= request.HighestBlock ? Geometry.GroupOf(request.Goal) : default;

    /// <summary>Whether any block of the group is too high for the request.</summary>
    private bool IsTooHigh(BlockGroup group, in AllocationRequest request) =>
        Geometry.FirstBlockOf(group).Value + (Geometry.BlocksIn(group) - 1) > request.HighestBlock;

    private async ValueTask<BlockSpan> TakeFromAnyGroupAsync(Handle handle, AllocationRequest request, BlockGroup start)
    {
        (BlockSpan found, BlockGroup? best) = await SearchLongRunAsync(handle, request, start).ConfigureAwait(false);
        if (found.Count == 0 && best is { } group)
        {
            found = await TryGroupAsync(handle, group, request, Aim.AnyRun).ConfigureAwait(false);
        }

        for (uint i = 0; i < Geometry.GroupCount && found.Count == 0; i++)
        {
            BlockGroup number = Nth(start, i);
            Group candidate = await volume.Groups.FindAsync(number).ConfigureAwait(false);
            if (candidate.AvailableHint > 0 && !IsTooHigh(number, request))
            {
                found = await TryGroupAsync(handle, number, request, Aim.AnyRunAtAll).ConfigureAwait(false);
            }
        }

        return found;
    }

    /// <summary>Looks for a run of the wanted length, from the goal's group on; else says which group has the longest seen.</summary>
    private async ValueTask<(BlockSpan Found, BlockGroup? Best)> SearchLongRunAsync(Handle handle, AllocationRequest request, BlockGroup start)
    {
        uint wanted = WantedRun(request);
        uint bestRun = 0;
        BlockGroup? best = null;
        int searched = 0;
        for (uint i = 0; i < Geometry.GroupCount; i++)
        {
            if (best is not null && (searched >= MaxSearched || i >= MaxPassed))
            {
                break;
            }

            BlockGroup number = Nth(start, i);
            if (IsTooHigh(number, request))
            {
                continue;
            }

            Group group = await volume.Groups.FindAsync(number).ConfigureAwait(false);
            if (Math.Min(group.AvailableHint, group.LongestRun) >= wanted)
            {
                searched++;
                BlockSpan found = await TryGroupAsync(handle, number, request, Aim.LongRun).ConfigureAwait(false);
                if (found.Count != 0)
                {
                    return (found, null);
                }
            }

            uint run = Math.Min(group.AvailableHint, group.LongestRun);
            if (run > bestRun)
            {
                (bestRun, best) = (run, number);
            }
        }

        return (default, best);
    }

    private BlockGroup Nth(BlockGroup start, uint index) => new((uint)(((ulong)start.Value + index) % Geometry.GroupCount));

    private uint WantedRun(in AllocationRequest request) =>
        (uint)Math.Min(Math.Max(request.Clusters, request.WindowClusters), Geometry.ClustersPerGroup / 2);

    private async ValueTask<BlockSpan> TryGroupAsync(Handle handle, BlockGroup number, AllocationRequest request, Aim aim)
    {
        for (int i = 0; i < MaxReopened; i++)
        {
            OpenGroup? opened;
            try
            {
                opened = await allocator.OpenAsync(number).ConfigureAwait(false);
            }
            catch (DeviceException) when (aim != Aim.AnyRunAtAll)
            {
                // A bitmap that cannot be read does not keep the file from room elsewhere.
                return default;
            }

            if (opened is not { } open)
            {
                return default;
            }

            try
            {
                if (TryTake(handle, open, request, aim, out BlockSpan found))
                {
                    return found;
                }
            }
            catch (CorruptVolumeException) when (open.Group.Damage is not null)
            {
                // The group is condemned now: the next one may do.
                return default;
            }
            finally
            {
                open.Close();
            }
        }

        return default;
    }

    /// <summary>Searches and takes under one hold of the latch. False if the group must be opened again.</summary>
    private bool TryTake(Handle handle, in OpenGroup open, in AllocationRequest request, Aim aim, out BlockSpan found)
    {
        ulong[] rented = ArrayPool<ulong>.Shared.Rent(clusters.ViewLength);
        try
        {
            lock (open.Group)
            {
                found = default;
                if (clusters.IsStale(open))
                {
                    return false;
                }

                Span<ulong> view = rented.AsSpan(0, clusters.ViewLength);
                clusters.Look(open, view, request.Window, respectsWindows: aim != Aim.AnyRunAtAll);
                ClusterRange run = Find(open.Group, view, request, aim);
                if (run.Count != 0)
                {
                    run = run with { Count = (uint)Math.Min(run.Count, request.Clusters) };
                    found = clusters.Take(handle, open, run);
                    MoveOn(open.Group, view, request, run);
                }

                return true;
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(rented);
        }
    }

    /// <summary>Latch held. The run to take; empty if there is none of the kind.</summary>
    private ClusterRange Find(Group group, ReadOnlySpan<ulong> view, in AllocationRequest request, Aim aim)
    {
        uint end = Geometry.ClustersIn(group.Number);
        uint goal = StartIn(group, request);
        if (aim == Aim.AtGoal)
        {
            return new ClusterRange(goal, BitmapSearch.NextSet(view, goal, end) - goal);
        }

        uint wanted = WantedRun(request);
        ClusterRange run = BitmapSearch.FindRun(view, goal, end, wanted);
        if (run.Count < wanted)
        {
            // The whole group: a run that the goal cuts in two counts as one.
            run = BitmapSearch.FindRun(view, 0, end, wanted);
            if (run.Count < wanted)
            {
                group.LongestRun = run.Count;
            }
        }

        return aim == Aim.LongRun && run.Count < wanted ? default : run;
    }

    /// <summary>
    /// Where in the group the search starts. Small files always begin at its start, so that they fill what deleted ones left: under a mixed load
    /// free space is in a third fewer pieces than with a cursor that moves on, and the files themselves are no worse for it.
    /// </summary>
    private uint StartIn(Group group, in AllocationRequest request)
    {
        bool isGoalGroup = Geometry.Contains(request.Goal) && Geometry.GroupOf(request.Goal) == group.Number;
        return isGoalGroup && (request.IsContinuation || !request.IsStream) ? Geometry.ClusterInGroup(request.Goal) : 0;
    }

    /// <summary>Latch held. Moves the file's window behind what was taken.</summary>
    private void MoveOn(Group group, ReadOnlySpan<ulong> view, in AllocationRequest request, ClusterRange taken)
    {
        // A window in another group is that group's to guard: it is given up at the next request, outside this latch.
        if (request.Window is not { } window || (window.Group is { } other && !ReferenceEquals(other, group)))
        {
            return;
        }

        if (window.Group is not null && window.Range.End > taken.End && window.Range.First <= taken.First)
        {
            window.Range = new ClusterRange(taken.End, window.Range.End - taken.End);
            return;
        }

        if (window.Group is not null)
        {
            group.Windows!.Remove(window);
            window.Group = null;
        }

        uint ahead = request.WindowClusters > taken.Count ? request.WindowClusters - taken.Count : 0;
        uint limit = Math.Min(taken.End + ahead, Geometry.ClustersIn(group.Number));
        uint stop = BitmapSearch.NextSet(view, taken.End, limit);
        if (stop > taken.End)
        {
            Claim(group, window, new ClusterRange(taken.End, stop - taken.End));
        }
    }

    private static void Claim(Group group, AllocationWindow window, ClusterRange range)
    {
        group.Windows ??= [];
        if (group.Windows.Count == MaxWindows)
        {
            group.Windows[0].Group = null;
            group.Windows.RemoveAt(0);
        }

        window.Group = group;
        window.Range = range;
        group.Windows.Add(window);
    }

    /// <summary>Gives up a window that the file has moved away from; so at most one group's latch is ever held.</summary>
    private void LeaveOtherWindow(in AllocationRequest request)
    {
        if (request.Window is { Group: { } group } window)
        {
            bool isInside;
            lock (group)
            {
                isInside = Geometry.Contains(request.Goal) && Geometry.GroupOf(request.Goal) == group.Number
                    && window.Range.First <= Geometry.ClusterInGroup(request.Goal) && Geometry.ClusterInGroup(request.Goal) < window.Range.End;
            }

            if (!isInside)
            {
                BlockAllocator.ReleaseWindow(window);
            }
        }
    }
}
