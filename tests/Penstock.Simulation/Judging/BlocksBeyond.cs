using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Simulation.Judging;

/// <summary>Rule 2.12: where nobody preallocated, no block lies beyond the size.</summary>
internal static class BlocksBeyond
{
    private const ulong Ahead = 1024;

    /// <summary>What is wrong with a file that is quiet, or null.</summary>
    public static async Task<string?> FindAsync(int number, Inode inode)
    {
        BlockMapper mapper = inode.Mapper!;
        var first = new FileBlock((ulong)((inode.Size + mapper.BlockSize - 1) / mapper.BlockSize));
        for (FileBlock next = first; next < first + Ahead;)
        {
            BlockRun run = await mapper.MapAsync(next, first + Ahead - next);
            if (run.State != MapState.Hole)
            {
                return $"file {number} has {inode.Size} bytes, but block {run.First} beyond them is {run.State}";
            }

            next = run.End;
        }

        return null;
    }
}
