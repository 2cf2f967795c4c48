namespace Penstock.Ext4.Checking;

/// <summary>Pass 3: every directory hangs on the root, and says so itself.</summary>
internal sealed class ConnectionPass(CheckRun run)
{
    private const uint RootInode = 2;

    public void Run()
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
            if (!Reaches(directory, i + 1))
            {
                run.Log.Problem("directory", $"inode {directory.Inode}", $"it hangs on nothing; it says that it was in inode {directory.DotDot}");
            }

            if (directory.DotDot != directory.Parent)
            {
                run.Log.Problem("directory", $"inode {directory.Inode}", $"'..' leads to inode {directory.DotDot}, expected {directory.Parent}");
            }
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
