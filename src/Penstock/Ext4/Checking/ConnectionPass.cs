using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 3: every directory hangs on the root, and says so itself.</summary>
internal sealed class ConnectionPass(CheckRun run)
{
    private const uint RootInode = 2;

    public async ValueTask RunAsync()
    {
        if (run.Directories.Find(RootInode) is not { } root)
        {
            run.Log.Problem("directory", $"inode {RootInode}", "there is no root directory");
            return;
        }

        root.Parent = RootInode;
        root.Walk = int.MaxValue;
        for (int i = 0; i < run.Directories.Count; i++)
        {
            DirectoryRecord directory = run.Directories[i];
            if (!Reaches(directory, i + 1)
                && run.Mends("directory", $"inode {directory.Inode}", $"it hangs on nothing; it says that it was in inode {directory.DotDot}"))
            {
                directory.Parent = await run.Repair!.LostAndFound.ConnectAsync(directory.Inode).ConfigureAwait(false);
            }

            bool isWrong = directory.DotDot != directory.Parent;
            if (isWrong && run.Mends("directory", $"inode {directory.Inode}", $"'..' leads to inode {directory.DotDot}, expected {directory.Parent}"))
            {
                await MendParentAsync(directory).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask MendParentAsync(DirectoryRecord directory)
    {
        uint parent = directory.Parent == 0 ? RootInode : directory.Parent;
        if (directory.Inline is { } inline)
        {
            LittleEndian.U32(inline.First, 0, parent);
            run.Repair!.Directories.StoreInline(directory);
            await run.Repair.Directories.RunAsync().ConfigureAwait(false);
            return;
        }

        using AlignedBuffer block = run.Store.Allocate(1);
        ulong place = directory.Places!.Length == 0 ? 0 : directory.Places[0].Volume;
        if (place != 0 && await run.Store.ReadAsync(place, 1, block.Segment).ConfigureAwait(false))
        {
            var check = new DirectoryCheck(run);
            check.MendParent(directory, block.GetSpan(), parent);
            await run.Repair!.WriteAsync(place, block.Segment).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the way up ends at the root; directories known to reach it carry the largest number.</summary>
    private bool Reaches(DirectoryRecord start, int walk)
    {
        DirectoryRecord? at = start;
        while (at is not null && at.Walk != int.MaxValue)
        {
            if (at.Walk == walk || at.Parent == 0)
            {
                // A loop, or the top of a tree that hangs on nothing: told once, for the directory where the way up ends.
                return at != start;
            }

            at.Walk = walk;
            at = run.Directories.Find(at.Parent);
        }

        for (DirectoryRecord? done = start; done is not null && done.Walk == walk; done = run.Directories.Find(done.Parent))
        {
            done.Walk = int.MaxValue;
        }

        return at is not null;
    }
}
