using Penstock.Files;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// The inodes whose references the kernel has given back and that are being released: those without names are deleted by it, which takes
/// time. FORGET has no reply, so nobody waits for this by itself; who needs the space does.
/// </summary>
/// <param name="fileSystem">Whose inodes they are.</param>
/// <param name="freed">Called after each deletion, before those who wait for it go on.</param>
/// <param name="onDefect">Told of what is no fault of the volume.</param>
internal sealed class ForgottenInodes(FileSystem fileSystem, Action freed, Action<Exception>? onDefect)
{
    /// <summary>A small file is freed sooner than another thread is woken for it; a large one would hold up the reader of requests.</summary>
    private const ulong MostSectorsToFreeHere = 16 * 1024 * 1024 / 512;

    private readonly object _lock = new();
    private readonly HashSet<Task> _deletions = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Releases on their way, and one until the end.
    private int _releases = 1;

    /// <summary>Gives one reference back; what waits goes on in the background.</summary>
    public void Release(Inode inode)
    {
        Interlocked.Increment(ref _releases);
        if (inode.Attributes.Links != 0)
        {
            // As a rule at once: the inode stays in memory, idle.
            _ = ReleaseAsync(inode, null);
            return;
        }

        var deleted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _deletions.Add(deleted.Task);
        }

        if (inode.SectorsTold > MostSectorsToFreeHere)
        {
            fileSystem.Scheduler.Start(() => ReleaseAsync(inode, deleted));
        }
        else
        {
            _ = ReleaseAsync(inode, deleted);
        }
    }

    /// <summary>Completes when all deletions that had begun are done.</summary>
    public Task WaitForDeletionsAsync()
    {
        lock (_lock)
        {
            return _deletions.Count == 0 ? Task.CompletedTask : Task.WhenAll(_deletions);
        }
    }

    /// <summary>Completes when all is released. Called once; nothing is given back after it.</summary>
    public Task EndAsync()
    {
        EndRelease();
        return _ended.Task;
    }

    private async Task ReleaseAsync(Inode inode, TaskCompletionSource? deleted)
    {
        try
        {
            await fileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        }
        catch (FileSystemException)
        {
            // A file that could not be deleted stays on the volume's list of orphans.
        }
        catch (Exception defect)
        {
            onDefect?.Invoke(defect);
        }
        finally
        {
            EndDeletion(deleted);
            EndRelease();
        }
    }

    private void EndDeletion(TaskCompletionSource? deleted)
    {
        if (deleted is not null)
        {
            freed();
            lock (_lock)
            {
                _deletions.Remove(deleted.Task);
            }

            deleted.SetResult();
        }
    }

    private void EndRelease()
    {
        if (Interlocked.Decrement(ref _releases) == 0)
        {
            _ended.TrySetResult();
        }
    }
}
