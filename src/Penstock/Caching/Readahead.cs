using Penstock.Locking;

namespace Penstock.Caching;

/// <summary>Reads pages before anybody asks for them.</summary>
internal static class Readahead
{
    /// <summary>Starts filling a window in the background. It waits for no memory, and an error is silent: who wants the page meets it.</summary>
    public static void Start(FilePages pages, ReadaheadWindow window)
    {
        long pagesInFile = (pages.File.Size + pages.PageSize - 1) / pages.PageSize;
        long end = Math.Min(window.First + window.Count, pagesInFile);
        int most = PageFill.MaxBytes / pages.PageSize;
        for (long first = window.First; first < end; first += most)
        {
            // Each fill by itself and with a marker: the first pages are there, and start more, while the last are still on their way.
            _ = RunAsync(pages, new ReadaheadWindow(first, (int)Math.Min(most, end - first), first));
        }
    }

    private static async Task RunAsync(FilePages pages, ReadaheadWindow window)
    {
        // An operation of its own: the reader that started it goes on and ends without it.
        using OperationScope? scope = pages.File.Scheduler.Recorder?.BeginOperation("readahead");
        _ = await PageFill.RunAsync(pages, window.First, window.Count, marker: window.Marker).ConfigureAwait(false);
    }
}
