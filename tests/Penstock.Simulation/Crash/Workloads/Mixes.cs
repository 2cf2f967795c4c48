using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>Anything that a user can do, in any order.</summary>
internal static class Mixes
{
    private const int Sector = 512;

    public static Workload Mix { get; } = new("mix", "three clients do anything, in any order", CrashShape.All, RunAsync);

    private static Task RunAsync(Stage stage) => stage.TogetherAsync(3, async (client, chance) =>
    {
        var open = new List<ClientFile>();
        for (int i = 0; i < 40; i++)
        {
            if (open.Count == 0 || (open.Count < 4 && chance.OneIn(6)))
            {
                if (await client.CreateAsync(client.NewName()) is { } made)
                {
                    open.Add(made);
                }

                continue;
            }

            await StepAsync(client, chance, open);
        }

        foreach (ClientFile file in open)
        {
            await file.DisposeAsync();
        }
    });

    private static async Task StepAsync(Client client, Chance chance, List<ClientFile> open)
    {
        ClientFile file = open[chance.Next(open.Count)];
        string[] names = [.. client.Names];
        string? some = names.Length == 0 ? null : names[chance.Next(names.Length)];
        switch (chance.Next(16))
        {
            case 0 or 1:
                await client.WriteAsync(file, chance.Next(24_000), chance.Between(1, 9000), chance.Of(IoOptions.None, IoOptions.None, IoOptions.DataSync));
                break;
            case 2:
                await client.WriteAsync(file, 0, chance.Between(1, 4000), IoOptions.Append);
                break;
            case 3 or 4:
                await client.WriteAsync(
                    file, Sector * chance.Next(64), Sector * chance.Between(1, 24), IoOptions.Direct | chance.Of(IoOptions.None, IoOptions.DataSync, IoOptions.Sync));
                break;
            case 5:
                await client.ResizeAsync(file, chance.Next(30_000));
                break;
            case 6:
                await client.PunchAsync(file, chance.Next(16_000), chance.Between(1, 12_000));
                break;
            case 7:
                await client.AllocateAsync(file, chance.Next(16_000), chance.Between(1, 16_000));
                break;
            case 8 or 9:
                await client.SyncAsync(file, dataOnly: chance.OneIn(3));
                break;
            case 10 when some is not null:
                await client.UnlinkAsync(some);
                break;
            case 11 when some is not null:
                await client.RenameAsync(some, chance.OneIn(2) ? client.NewName() : names[chance.Next(names.Length)]);
                break;
            case 12 when some is not null:
                await client.LinkAsync(some, client.NewName());
                break;
            case 13 when some is not null:
                await client.SetAttributeAsync(some, "user.mix", new byte[chance.Between(1, 300)]);
                break;
            case 14:
                open.Remove(file);
                await file.DisposeAsync();
                break;
            default:
                await client.SyncVolumeAsync();
                break;
        }
    }
}
