using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>Workloads about names and what belongs to them.</summary>
internal static class NameWorkloads
{
    public static IReadOnlyList<Workload> All { get; } =
    [
        new("link-storm", "links, symbolic links, unlinks and renames in one directory, by three clients", CrashShape.All, StormAsync),
        new("directory-split", "directories that grow until their blocks and their index split, and shrink again", CrashShape.All, SplitAsync),
        new("directory-moves", "directories with something in them are renamed, made and removed", CrashShape.All, MoveDirectoriesAsync),
        new("directory-recycle", "directories are removed and files take their blocks at once, on a volume with little room", CrashShape.Crowded, RecycleDirectoriesAsync) { RunsOutOfSpace = true },
        new("attributes", "extended attributes in the inode and in a block, shared and not", CrashShape.All, SetAttributesAsync) { RunsOutOfSpace = true },
        new("large-values", "extended attributes in inodes of their own: set, replaced, removed, and gone with their file", [CrashShape.ValueInodes], SetLargeValuesAsync),
    ];

    private static async Task StormAsync(Stage stage)
    {
        Client owner = stage.NewClient('s');
        string directory = owner.Path("shared");
        if (!await owner.MakeDirectoryAsync(directory))
        {
            return;
        }

        await owner.SyncDirectoryAsync("/");
        await stage.TogetherAsync(3, async (client, chance) =>
        {
            for (int i = 0; i < 18; i++)
            {
                string[] names = [.. client.Names];
                string? some = names.Length == 0 ? null : names[chance.Next(names.Length)];
                string path = client.NewName(directory);
                switch (some is null ? 0 : chance.Next(7))
                {
                    case 0:
                        if (await client.CreateAsync(path) is { } file)
                        {
                            await using (file)
                            {
                                await client.WriteAsync(file, 0, chance.Between(1, 2000));
                                if (chance.OneIn(2))
                                {
                                    await client.SyncAsync(file);
                                }
                            }
                        }

                        break;
                    case 1:
                        await client.LinkAsync(some!, path);
                        break;
                    case 2:
                        await client.MakeSymbolicLinkAsync(path, new string('t', chance.Of(5, 59, 60, 200)));
                        break;
                    case 3 or 4:
                        await client.UnlinkAsync(some!);
                        break;
                    case 5:
                        await client.RenameAsync(some!, chance.OneIn(2) ? path : names[chance.Next(names.Length)]);
                        break;
                    default:
                        await client.SyncDirectoryAsync(directory);
                        break;
                }
            }
        });
    }

    private static Task SplitAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string directory = client.Path("many");
        string filling = new('n', chance.Of(30, 120, 200));
        if (!await client.MakeDirectoryAsync(directory))
        {
            return;
        }

        for (int i = 0; i < 45; i++)
        {
            string path = client.NewName(directory) + filling;
            if (await client.CreateAsync(path) is { } file)
            {
                await using (file)
                {
                    if (chance.OneIn(8))
                    {
                        await client.WriteAsync(file, 0, chance.Between(1, 500));
                        await client.SyncAsync(file);
                    }
                }
            }

            if (chance.OneIn(4))
            {
                await client.UnlinkAsync(client.Names.Where(n => n.Length > directory.Length).ElementAt(chance.Next(client.Names.Count() - 1)));
            }

            if (chance.OneIn(12))
            {
                await client.SyncDirectoryAsync(directory);
            }
        }
    });

    private static Task MoveDirectoriesAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string[] parents = [client.Path("left"), client.Path("right")];
        foreach (string parent in parents)
        {
            if (!await client.MakeDirectoryAsync(parent))
            {
                return;
            }
        }

        await client.SyncVolumeAsync();
        for (int i = 0; i < 10; i++)
        {
            string directory = client.NewName(parents[chance.Next(2)]);
            if (!await client.MakeDirectoryAsync(directory))
            {
                return;
            }

            string inside = client.NewName(directory);
            if (await client.CreateAsync(inside) is { } file)
            {
                await using (file)
                {
                    await client.WriteAsync(file, 0, chance.Between(1, 1500));
                    if (chance.OneIn(2))
                    {
                        await client.SyncAsync(file);
                    }
                }
            }

            string moved = client.NewName(parents[chance.Next(2)]);
            await client.RenameAsync(directory, moved);
            if (chance.OneIn(3))
            {
                await client.SyncDirectoryAsync(parents[chance.Next(2)]);
            }

            if (chance.OneIn(2))
            {
                await client.UnlinkAsync(string.Concat(moved, inside.AsSpan(directory.Length)));
                await client.RemoveDirectoryAsync(moved);
            }
        }
    });

    /// <summary>A log that is replayed as if nothing had been freed puts directories over the bytes of files.</summary>
    private static async Task RecycleDirectoriesAsync(Stage stage)
    {
        const int RoomLeft = 48;
        await using ClientFile? ballast = await Ballast.LeaveAsync(stage, RoomLeft);
        await stage.TogetherAsync(2, async (client, chance) =>
        {
            for (int i = 0; i < 6; i++)
            {
                string directory = client.NewName();
                if (!await client.MakeDirectoryAsync(directory))
                {
                    continue;
                }

                var inside = new List<string>();
                for (int names = chance.Between(1, 12); names > 0; names--)
                {
                    string path = client.NewName(directory) + new string('n', 180);
                    if (await client.MakeSymbolicLinkAsync(path, "target"))
                    {
                        inside.Add(path);
                    }
                }

                await client.SyncDirectoryAsync(directory);
                foreach (string path in inside)
                {
                    await client.UnlinkAsync(path);
                }

                await client.RemoveDirectoryAsync(directory);
                await client.SyncVolumeAsync();
                string taker = client.NewName();
                if (await client.CreateAsync(taker) is { } file)
                {
                    await using (file)
                    {
                        await client.WriteAsync(file, 0, stage.BlockSize * chance.Between(8, RoomLeft), IoOptions.DataSync);
                    }

                    await client.RestAsync(chance.Next(12));
                    await client.UnlinkAsync(taker);
                }
            }
        });
    }

    private static Task SetAttributesAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string[] files = [client.Path("one"), client.Path("two")];
        foreach (string path in files)
        {
            if (await client.CreateAsync(path) is not { } made)
            {
                return;
            }

            await using (made)
            {
                await client.SyncAsync(made);
            }
        }

        for (int i = 0; i < 16; i++)
        {
            string path = files[chance.Next(2)];
            string name = $"user.{(char)('a' + chance.Next(4))}";
            bool isShared = chance.OneIn(3);
            var value = new byte[isShared ? 300 : chance.Of(1, 20, 90, 400)];
            if (isShared)
            {
                Array.Fill(value, (byte)7);
            }
            else
            {
                chance.Fill(value);
            }

            await client.SetAttributeAsync(path, name, value);
            if (chance.OneIn(3) && await client.OpenAsync(path) is { } file)
            {
                await using (file)
                {
                    await client.SyncAsync(file);
                }
            }
        }
    });

    private static Task SetLargeValuesAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string path = client.Path("holder");
        for (int round = 0; round < 3; round++)
        {
            if (await client.CreateAsync(path) is not { } file)
            {
                return;
            }

            await using (file)
            {
                await client.SyncAsync(file);
                var there = new HashSet<string>(StringComparer.Ordinal);
                for (int i = 0; i < 8; i++)
                {
                    string name = $"user.{(char)('a' + chance.Next(3))}";
                    bool isRemoved = there.Contains(name) && chance.OneIn(4);
                    _ = isRemoved ? there.Remove(name) : there.Add(name);
                    var value = new byte[chance.Of(10, 300, 1100, 5000, 20000)];
                    chance.Fill(value);
                    await client.SetAttributeAsync(path, name, isRemoved ? null : value);
                    if (chance.OneIn(3))
                    {
                        await client.SyncAsync(file);
                    }
                }
            }

            await client.UnlinkAsync(path);
        }
    });
}
