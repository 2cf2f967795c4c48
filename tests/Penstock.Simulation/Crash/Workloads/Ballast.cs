namespace Penstock.Simulation.Crash.Workloads;

/// <summary>A file that leaves others little room.</summary>
internal static class Ballast
{
    /// <summary>Preallocates all blocks but so many. Null if there was no room for the file itself.</summary>
    public static async Task<ClientFile?> LeaveAsync(Stage stage, int blocks)
    {
        Client filler = stage.NewClient('z');
        if (await filler.CreateAsync(filler.Path("ballast")) is not { } ballast)
        {
            return null;
        }

        long free = (long)stage.World.Volume.Statistics.AvailableBlocks;
        await filler.AllocateAsync(ballast, 0, (free - blocks) * stage.BlockSize);
        await filler.SyncAsync(ballast);
        return ballast;
    }
}
