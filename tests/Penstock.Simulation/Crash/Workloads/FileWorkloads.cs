using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>Workloads about the content of files.</summary>
internal static class FileWorkloads
{
    private const int Sector = 512;

    public static Workload Overwrite { get; } = new(
        "overwrite", "direct writes in place, several in flight, as a database writes its tables", CrashShape.All, OverwriteAsync);

    public static IReadOnlyList<Workload> All { get; } =
    [
        new("replace", "create, write, fsync and rename over the old file, as editors do; three at a time", CrashShape.All, ReplaceAsync),
        new("append-dsync", "appends with O_DSYNC, buffered and direct, as a database writes its log", CrashShape.All, AppendAsync),
        new("append-fsync", "many small appends, an fsync now and then, by two writers", CrashShape.All, AppendSyncAsync),
        new("truncate-rewrite", "files are cut back, grown and written again, synced now and then", CrashShape.All, TruncateAsync),
        new("hole-fill", "direct writes with O_DSYNC into holes and preallocated blocks", CrashShape.All, FillHolesAsync),
        Overwrite,
        new("recycle", "files are removed and others take their blocks at once: nobody may see what was there", CrashShape.All, RecycleAsync),
        new("full-disk", "writers run into the end of the space, remove something and go on", CrashShape.Extents, FillDiskAsync) { RunsOutOfSpace = true },
        new("inline", "files and directories begin in their inodes and outgrow them, or are cut before they do", [CrashShape.Inline], OutgrowInodesAsync),
        new("journal-wrap", "so many changes that a small journal goes round several times", CrashShape.All, WrapAsync),
        new("data-replace", "data in the log: files are written, synced and renamed", CrashShape.DataInLog, ReplaceAsync),
        new("data-overwrite", "data in the log: writes in place, many at a time, none of which may be torn", CrashShape.DataInLog, OverwriteAsync),
        new("data-truncate", "data in the log: files are cut back, grown and written again", CrashShape.DataInLog, TruncateAsync),
        new("data-magic", "data in the log that looks like the log's own blocks, and what takes its place", CrashShape.DataInLog, WriteMagicAsync),
        new("data-wrap", "data in a small log: the same blocks are written again and again, in order", CrashShape.DataWrapping, RewriteAsync),
        new("data-holes", "data in the log: holes and preallocated blocks are filled and punched", CrashShape.DataInLog, FillHolesAsync),
        new("data-recycle", "data in the log: blocks of one file become another's, or a directory's, while the log has their old content", CrashShape.DataInLog, RecycleAsync),
        new("data-unordered", "a journal that does not wait for data: what was synced is there all the same", CrashShape.DataUnordered, AppendSyncAsync),
        new("error-reports", "files that are open twice: what could not be written back is told to each open file, once", CrashShape.All, ReportErrorsAsync),
        new("log-wrap", "the same with a log of a few blocks, which goes round again and again", CrashShape.Wrapping, WrapAsync),
    ];

    private static Task ReplaceAsync(Stage stage) => stage.TogetherAsync(3, async (client, chance) =>
    {
        string target = client.Path("config");
        for (int i = 0; i < 5; i++)
        {
            string temporary = client.NewName();
            if (await client.CreateAsync(temporary) is not { } file)
            {
                return;
            }

            await using (file)
            {
                await client.WriteAsync(file, 0, chance.Between(1, 12_000));
                await client.SyncAsync(file);
                await client.RenameAsync(temporary, target);
                if (chance.OneIn(3))
                {
                    await client.SyncDirectoryAsync("/");
                }
            }
        }
    });

    private static Task AppendAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        if (await client.CreateAsync(client.Path("log")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            await client.SyncAsync(file);
            bool isDirect = chance.OneIn(2);
            for (int i = 0; i < 12; i++)
            {
                IoOptions options = IoOptions.Append | chance.Of(IoOptions.DataSync, IoOptions.DataSync, IoOptions.Sync);
                int length = isDirect ? Sector * chance.Between(1, 16) : chance.Between(1, 6000);
                await client.WriteAsync(file, 0, length, isDirect ? options | IoOptions.Direct : options);
            }
        }
    });

    private static Task AppendSyncAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        if (await client.CreateAsync(client.Path("log")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            for (int i = 0; i < 24; i++)
            {
                await client.WriteAsync(file, 0, chance.Between(1, 3000), IoOptions.Append);
                if (chance.OneIn(5))
                {
                    await client.SyncAsync(file, dataOnly: chance.OneIn(2));
                }
            }
        }
    });

    private static Task TruncateAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        if (await client.CreateAsync(client.Path("data")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            for (int i = 0; i < 14; i++)
            {
                await client.WriteAsync(file, chance.Next(20_000), chance.Between(1, 12_000));
                if (chance.OneIn(2))
                {
                    await client.ResizeAsync(file, chance.Of(0, chance.Next(30_000), (int)file.Size / 2));
                }

                if (chance.OneIn(3))
                {
                    await client.SyncAsync(file, dataOnly: chance.OneIn(3));
                }
            }
        }
    });

    private static Task FillHolesAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        if (await client.CreateAsync(client.Path("sparse")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            const int Length = 96 * 1024;
            await client.ResizeAsync(file, Length);
            if (chance.OneIn(2))
            {
                await client.AllocateAsync(file, chance.Next(Length / 2), chance.Between(1, Length));
            }

            await client.SyncAsync(file);
            for (int i = 0; i < 12; i++)
            {
                int length = Sector * chance.Between(1, 20);
                long offset = Sector * (long)chance.Next((Length - length) / Sector);
                await client.WriteAsync(file, offset, length, IoOptions.Direct | chance.Of(IoOptions.DataSync, IoOptions.DataSync, IoOptions.None));
                if (chance.OneIn(6))
                {
                    await client.PunchAsync(file, chance.Next(Length), chance.Between(1, 20_000));
                }

                if (chance.OneIn(8))
                {
                    await client.SyncAsync(file, dataOnly: true);
                }
            }
        }
    });

    private static Task OverwriteAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        const int Length = 64 * 1024;
        if (await client.CreateAsync(client.Path("table")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            await client.WriteAsync(file, 0, Length);
            await client.SyncAsync(file);
            for (int i = 0; i < 8; i++)
            {
                var inFlight = new List<Task>();
                for (int at = Sector * chance.Next(24); at < Length; at += Sector * chance.Between(1, 40))
                {
                    int length = Math.Min(Sector * chance.Between(1, 8), Length - at);
                    inFlight.Add(client.WriteAsync(file, at, length, IoOptions.Direct));
                    at += length;
                }

                await Task.WhenAll(inFlight);
                if (chance.OneIn(3))
                {
                    await client.SyncAsync(file, dataOnly: true);
                }
            }
        }
    });

    private static Task RewriteAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        const int Length = 24 * 1024;
        if (await client.CreateAsync(client.Path("counters")) is not { } file)
        {
            return;
        }

        await using (file)
        {
            await client.WriteAsync(file, 0, Length);
            await client.SyncAsync(file);
            for (int i = 0; i < 40; i++)
            {
                await client.WriteAsync(file, chance.Next(Length - 3000), chance.Between(1, 3000));
                if (chance.OneIn(6))
                {
                    await client.SyncAsync(file, dataOnly: true);
                }
            }
        }
    });

    private static Task ReportErrorsAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string path = client.Path("shared");
        if (await client.CreateAsync(path) is not { } first)
        {
            return;
        }

        await using (first)
        {
            if (await client.OpenAsync(path) is not { } second)
            {
                return;
            }

            await using (second)
            {
                for (int i = 0; i < 6; i++)
                {
                    await client.WriteAsync(first, chance.Next(20_000), chance.Between(1, 9000));
                    await client.RestAsync(chance.Next(4));
                    bool? one = await client.IsToldOfLostDataAsync(first);
                    bool? other = await client.IsToldOfLostDataAsync(second);
                    if (one != other && one is not null && other is not null)
                    {
                        throw new InvalidOperationException($"of two open files one was told that data could not be written, and one was not: {one}, then {other}");
                    }

                    if (one == true && other == true && (await client.IsToldOfLostDataAsync(first) == true || await client.IsToldOfLostDataAsync(second) == true))
                    {
                        throw new InvalidOperationException("an error of one write was told twice");
                    }
                }
            }
        }
    });

    private static Task WriteMagicAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string path = client.Path("magic");
        if (await client.CreateAsync(path) is not { } file)
        {
            return;
        }

        await using (file)
        {
            await client.WriteLogMagicAsync(file, stage.BlockSize, chance.Next(4));
            for (int i = 0; i < 6; i++)
            {
                await client.WriteAsync(file, chance.Next(50_000), chance.Between(1, 3000), chance.Of(IoOptions.None, IoOptions.DataSync));
            }

            await client.SyncAsync(file);
        }

        await client.UnlinkAsync(path);
        if (await client.CreateAsync(client.NewName()) is { } other)
        {
            await using (other)
            {
                await client.WriteAsync(other, 0, chance.Between(20_000, 40_000), IoOptions.DataSync);
            }
        }
    });

    private static Task RecycleAsync(Stage stage) => stage.TogetherAsync(3, async (client, chance) =>
    {
        var kept = new Queue<string>();
        for (int i = 0; i < 12; i++)
        {
            string path = client.NewName();
            if (await client.CreateAsync(path) is not { } file)
            {
                return;
            }

            await using (file)
            {
                await client.WriteAsync(file, 0, chance.Between(1, 20_000), chance.OneIn(3) ? IoOptions.DataSync : IoOptions.None);
                if (chance.OneIn(3))
                {
                    await client.SyncAsync(file);
                }
            }

            kept.Enqueue(path);
            if (kept.Count > 2)
            {
                await client.UnlinkAsync(kept.Dequeue());
            }
        }
    });

    private static async Task FillDiskAsync(Stage stage)
    {
        const int RoomLeft = 90;
        await using ClientFile? ballast = await Ballast.LeaveAsync(stage, RoomLeft);
        await stage.TogetherAsync(2, async (client, chance) =>
        {
            for (int i = 0; i < 8; i++)
            {
                string path = client.NewName();
                if (await client.CreateAsync(path) is { } file)
                {
                    await using (file)
                    {
                        await client.WriteAsync(file, 0, stage.BlockSize * chance.Between(1, 40), chance.Of(IoOptions.None, IoOptions.DataSync, IoOptions.Direct));
                        await client.SyncAsync(file);
                    }
                }

                if (chance.OneIn(3) && client.Names.FirstOrDefault() is { } old)
                {
                    await client.UnlinkAsync(old);
                }
            }
        });
    }

    private static Task WrapAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < 6; i++)
            {
                string path = client.NewName();
                if (await client.CreateAsync(path) is { } file)
                {
                    await using (file)
                    {
                        await client.WriteAsync(file, 0, chance.Between(1, 3000));
                        if (i == 0)
                        {
                            await client.SyncAsync(file);
                        }
                    }
                }
            }

            await client.SyncVolumeAsync();
            foreach (string path in client.Names.ToArray())
            {
                if (chance.OneIn(2))
                {
                    await client.UnlinkAsync(path);
                }
            }
        }
    });

    private static Task OutgrowInodesAsync(Stage stage) => stage.TogetherAsync(2, async (client, chance) =>
    {
        string directory = client.Path("folder");
        if (!await client.MakeDirectoryAsync(directory))
        {
            return;
        }

        for (int i = 0; i < 6; i++)
        {
            string path = client.NewName(directory);
            if (await client.CreateAsync(path) is not { } file)
            {
                return;
            }

            await using (file)
            {
                for (int k = chance.Between(1, 5); k > 0; k--)
                {
                    await client.WriteAsync(file, 0, chance.Of(1, 20, 60, 100, 500), IoOptions.Append);
                    if (chance.OneIn(3))
                    {
                        await client.SyncAsync(file, dataOnly: chance.OneIn(2));
                    }

                    if (chance.OneIn(4))
                    {
                        // A cut stores the size, and what was written before it may still be in the cache.
                        await client.SyncAsync(file);
                        await client.ResizeAsync(file, chance.Of(0, 10, 90, 2000));
                    }
                }

                if (chance.OneIn(3))
                {
                    await client.SetAttributeAsync(path, "user.note", new byte[chance.Between(1, 60)]);
                }
            }

            if (chance.OneIn(3))
            {
                await client.SyncDirectoryAsync(directory);
            }
            else if (chance.OneIn(3))
            {
                await client.UnlinkAsync(path);
            }
        }
    });
}
