using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 2: every block of every directory, in several activities.</summary>
internal sealed class DirectoryPass(CheckRun run)
{
    private const int WindowBytes = 512 << 10;
    private const int DirectoriesAtOnce = 64;

    private int _next;

    public async ValueTask RunAsync()
    {
        int count = Math.Min(run.Parallelism, (run.Directories.Count / DirectoriesAtOnce) + 1);
        await Workers.RunAsync(run.Scheduler, count, _ => CheckAsync()).ConfigureAwait(false);
        if (run.Repair is { } repair)
        {
            await repair.Directories.RunAsync().ConfigureAwait(false);
        }
    }

    private async Task CheckAsync()
    {
        using var gather = new BlockGather(run.Store, Math.Max(4, WindowBytes / run.BlockSize));
        var check = new DirectoryCheck(run);
        while (true)
        {
            int begin = Interlocked.Add(ref _next, DirectoriesAtOnce) - DirectoriesAtOnce;
            if (begin >= run.Directories.Count || run.Repair is { IsFull: true })
            {
                return;
            }

            int end = Math.Min(begin + DirectoriesAtOnce, run.Directories.Count);
            while (begin < end)
            {
                begin = await CheckWindowAsync(gather, check, begin, end).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Checks as many directories as fit one read; one that is larger by itself, part by part.</summary>
    private async ValueTask<int> CheckWindowAsync(BlockGather gather, DirectoryCheck check, int begin, int end)
    {
        gather.Start();
        int next = begin;
        for (; next < end; next++)
        {
            DirectoryPlace[] places = run.Directories[next].Places ?? [];
            if (gather.Count + places.Length > gather.Capacity)
            {
                break;
            }

            foreach (DirectoryPlace place in places)
            {
                gather.Add(place.Volume);
            }
        }

        if (next == begin)
        {
            await CheckLargeAsync(gather, check, run.Directories[begin]).ConfigureAwait(false);
            return begin + 1;
        }

        await gather.ReadAsync().ConfigureAwait(false);
        int at = 0;
        for (int i = begin; i < next; i++)
        {
            DirectoryRecord directory = run.Directories[i];
            check.Start(directory);
            at = await CheckPlacesAsync(gather, check, directory.Places ?? [], at).ConfigureAwait(false);
            check.Finish();
        }

        return next;
    }

    private async ValueTask<int> CheckPlacesAsync(BlockGather gather, DirectoryCheck check, ReadOnlyMemory<DirectoryPlace> places, int at)
    {
        for (int i = 0; i < places.Length; i++, at++)
        {
            DirectoryPlace place = places.Span[i];
            check.CheckBlock(place, gather.Bytes(at), gather.IsFailed(at));
            if (check.IsDirty)
            {
                await run.Repair!.WriteAsync(place.Volume, gather.Segment(at)).ConfigureAwait(false);
            }
        }

        return at;
    }

    private async ValueTask CheckLargeAsync(BlockGather gather, DirectoryCheck check, DirectoryRecord directory)
    {
        check.Start(directory);
        for (int done = 0; done < directory.Places!.Length; done += gather.Capacity)
        {
            gather.Start();
            int count = Math.Min(gather.Capacity, directory.Places.Length - done);
            for (int i = 0; i < count; i++)
            {
                gather.Add(directory.Places[done + i].Volume);
            }

            await gather.ReadAsync().ConfigureAwait(false);
            await CheckPlacesAsync(gather, check, directory.Places.AsMemory(done, count), 0).ConfigureAwait(false);
        }

        check.Finish();
    }
}
