using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Scenarios;

/// <summary>The scenarios of the founding semantics, section 4: races that hurt somebody once.</summary>
internal static class NamedScenarios
{
    private const IoOptions Direct = IoOptions.Direct;
    private const IoOptions Append = IoOptions.Append;

    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("sparse-file", "a sparse file is direct-written while buffered readers check for anything but zeros and its data", SparseFile),
        new("append-readers", "appends against buffered readers at the end of the file", AppendReaders),
        new("fill-truncate-recycle", "direct fill and truncate against readers, while a third file takes the freed blocks", FillTruncateRecycle),
        new("buffered-writer", "a buffered writer against direct readers", BufferedWriter),
        new("aio-copy", "an asynchronous copy whose offsets rotate", AioCopy),
        new("all-pairs", "every pair of direct and buffered reads and writes on one range", AllPairs),
        new("buffered-read-async-write", "a buffered read races an asynchronous direct write", BufferedReadAsyncWrite),
        new("readahead", "readahead races a direct write", Readahead),
        new("partial-last-block", "asynchronous reads of a partial last block", PartialLastBlock),
        new("hole-in-last-block", "direct writes into the last block of a sparse file, which ends in the middle of it", HoleInLastBlock),
        new("punch-fill", "punch hole and truncate against fills of the cache, while another file takes the freed blocks", PunchFill),
        new("one-by-one", "one client, one thing after the other: what is on the device and in the cache at each return", OneByOne),
        new("sub-block-writes", "four asynchronous writes to parts of a block beyond the end", SubBlockWrites),
        new("shifted-after-truncate", "4096 bytes at 37376 and at 41472, after a truncate to 41472", ShiftedAfterTruncate),
        new("append-preallocation", "appends against preallocation beyond the end", AppendPreallocation),
        new("read-past-end", "a direct read just past the end, in the same block", ReadPastEnd),
        new("two-in-unwritten", "two writers in one unwritten extent", TwoInUnwritten),
        new("unwritten-error", "an unwritten extent, and a device that fails", UnwrittenError),
        new("punch-direct", "punch hole and zero range against direct I/O, while another file takes the freed blocks", PunchDirect),
        new("collapse-insert", "collapse and insert against direct I/O", CollapseInsert),
        new("no-space", "space runs out in extending writes", NoSpace),
        new("two-appenders", "two appenders, direct and buffered", TwoAppenders),
        new("hole-later", "a request that is mapped first and hits a hole later", HoleLater),
        new("event-loop-truncate", "one event loop with many requests in flight, and a truncate", EventLoopTruncate),
        new("two-openers", "an error of writeback is seen by the sync of both openers, once", TwoOpeners),
        new("power-loss", "the power goes as a write with O_DSYNC, or a sync, has returned", PowerLoss),
        new("toggle-direct", "O_DIRECT is toggled on an open file while requests are in flight", ToggleDirect),
        new("cancelled", "callers give up while the device owns their memory", Cancelled),
        new("stalled-device", "the device stalls on an overwrite: an extending write goes on meanwhile", StalledDevice),
        new("misaligned", "what is misaligned is refused before any lock", Misaligned),
    ];

    private static Plan SparseFile(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int size = chance.Of(32, 64, 128) * 1024;
        script.SetSize(0, size);
        for (int i = 0; i < 24; i++)
        {
            script.Write(0, script.SectorBelow(size), script.Sectors(24), Direct, isAsync: chance.OneIn(2));
            script.Read(1 + (i % 3), chance.Next(size), chance.Between(1, 24 * 1024));
        }

        return script.Finish();
    }

    private static Plan AppendReaders(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        bool isDirect = chance.OneIn(2);
        int at = 0;
        for (int i = 0; i < 30; i++)
        {
            int length = isDirect ? script.Sectors(12) : chance.Between(1, 6000);
            script.Write(0, at, length, Append | (isDirect ? Direct : 0), isAsync: chance.OneIn(3));
            script.Read(1 + (i % 3), Math.Max(0, at - chance.Next(4096)), chance.Between(1, 12 * 1024));
            at += length;
        }

        return script.Finish();
    }

    private static Plan FillTruncateRecycle(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int size = chance.Of(16, 32, 64) * 1024;
        for (int i = 0; i < 10; i++)
        {
            for (int at = 0; at < size; at += 16 * 1024)
            {
                script.Write(0, at, 16 * 1024, Direct, isAsync: true);
                script.Read(1, script.SectorBelow(size), script.Sectors(24), Direct);
                script.Read(2, chance.Next(size), chance.Between(1, 16 * 1024));
            }

            script.Add(0, new Operation { Kind = OperationKind.SetSize, Offset = chance.OneIn(2) ? 0 : script.SectorBelow(size), Joins = chance.OneIn(3) });
            script.Write(3, script.SectorBelow(size), 16 * 1024, chance.OneIn(2) ? Direct : IoOptions.None, file: 2, isAsync: true);
            script.Read(3, script.SectorBelow(size), 16 * 1024, Direct, file: 2);
            script.Add(3, new Operation { Kind = OperationKind.SyncVolume });
        }

        return script.Finish();
    }

    private static Plan BufferedWriter(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int size = chance.Of(8, 32) * 1024;
        for (int i = 0; i < 30; i++)
        {
            script.Write(0, chance.Next(size), chance.Between(1, 8000), isAsync: chance.OneIn(3));
            script.Read(1 + (i % 3), script.SectorBelow(size), script.Sectors(24), Direct, isAsync: chance.OneIn(3));
        }

        return script.Finish();
    }

    /// <summary>Fills a file with several direct writes in flight, and copies what it reads with several in flight to another.</summary>
    private static Plan AioCopy(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Pieces = 12;
        int piece = chance.Of(4, 8, 16) * 1024;
        int turn = chance.Next(Pieces);
        for (int i = 0; i < Pieces * 2; i++)
        {
            long at = (i + turn) % Pieces * (long)piece;
            script.Write(0, at, piece, Direct, isAsync: true);
            script.Read(1, (i + turn + 1) % Pieces * (long)piece, piece, Direct, isAsync: true);
            script.Write(2, (i * 5) % Pieces * (long)piece, piece, Direct, file: 1, isAsync: true);
            script.Read(2, (i * 7) % Pieces * (long)piece, piece, file: 1, isAsync: true);
        }

        return script.Finish();
    }

    private static Plan AllPairs(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int start = script.SectorBelow(8192);
        int length = script.Sectors(24);
        script.Write(0, 0, 24 * 1024);
        for (int i = 0; i < 40; i++)
        {
            IoOptions options = chance.OneIn(2) ? Direct : IoOptions.None;
            int client = i % 4;
            if (chance.OneIn(2))
            {
                script.Read(client, start, length, options, isAsync: chance.OneIn(4));
            }
            else
            {
                script.Write(client, start, length, options, isAsync: chance.OneIn(4));
            }
        }

        return script.Finish();
    }

    private static Plan BufferedReadAsyncWrite(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Write(0, 0, 32 * 1024).Sync(0).DropCache(0);
        for (int i = 0; i < 24; i++)
        {
            int at = script.SectorBelow(24 * 1024);
            script.Write(0, at, script.Sectors(16), Direct, isAsync: true);
            script.Read(1 + (i % 2), at, chance.Between(1, 8192));
            script.Read(1 + (i % 2), at, chance.Between(1, 8192));
        }

        return script.Finish();
    }

    private static Plan Readahead(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Plan = script.Plan with { CacheBytes = 1 << 20 };
        const int Size = 192 * 1024;
        for (int at = 0; at < Size; at += 48 * 1024)
        {
            script.Write(0, at, 48 * 1024);
        }

        script.Sync(0).DropCache(0);
        for (int at = 0; at < Size; at += 4096)
        {
            script.Read(1, at, 4096);
        }

        for (int i = 0; i < 30; i++)
        {
            script.Write(2, script.SectorBelow(Size), script.Sectors(32), Direct);
            script.Read(2, script.SectorBelow(Size), script.Sectors(8));
        }

        return script.Finish();
    }

    private static Plan PartialLastBlock(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int end = script.Block * chance.Between(1, 3);
        int size = end + chance.Between(1, script.Block - 1);
        script.Write(0, 0, size);
        script.Sync(0);
        for (int i = 0; i < 16; i++)
        {
            script.Read(i % 4, end & -Script.Sector, script.Sectors(2 * script.Block / Script.Sector), Direct, isAsync: true);
            if (chance.OneIn(4))
            {
                script.SetSize(3, end + chance.Between(1, script.Block - 1));
            }

            if (chance.OneIn(4))
            {
                script.Write(2, chance.Next(end), chance.Between(1, 5000));
            }
        }

        return script.Finish();
    }

    private static Plan HoleInLastBlock(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        for (int round = 0; round < 6; round++)
        {
            int file = round % 3;
            int end = script.Block * chance.Between(1, 4);
            script.SetSize(0, 0, file).SetSize(0, end + chance.Between(1, script.Block - 1), file);
            for (int i = 0; i < 3; i++)
            {
                script.Write(0, end + script.SectorBelow(script.Block), script.Sectors(script.Block / Script.Sector), Direct, file, isAsync: true);
                script.Read(1 + i, end & -Script.Sector, script.Block, chance.OneIn(2) ? Direct : IoOptions.None, file);
            }
        }

        return script.Finish();
    }

    private static Plan PunchFill(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Plan = script.Plan with { MetadataBytes = chance.Of(32, 64, 128) * 1024 };
        const int Size = 96 * 1024;
        const int Far = 600 * 1024;
        for (int i = 0; i < 16; i++)
        {
            long start = i % 2 == 0 ? 0 : Far;
            script.Write(0, start + script.SectorBelow(Size), script.Sectors(48), Direct).DropCache(0);
            script.Read(1, start + chance.Next(Size), chance.Between(1, 16 * 1024), isAsync: true);
            script.Read(1, start + chance.Next(Size), chance.Between(1, 16 * 1024), isAsync: true);
            script.Read(2, start + chance.Next(Size), chance.Between(1, 16 * 1024), isAsync: true);
            if (chance.OneIn(4))
            {
                script.SetSize(3, start + script.SectorBelow(Size));
            }
            else
            {
                script.Change(3, OperationKind.Punch, start + script.SectorBelow(Size), script.Sectors(100));
            }

            script.Write(4, script.SectorBelow(Size), script.Sectors(48), Direct, file: 1);
            script.Add(4, new Operation { Kind = OperationKind.SyncVolume });
        }

        return script.Finish();
    }

    private static Plan OneByOne(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 64 * 1024;
        script.Plan = script.Plan with { CacheBytes = 1 << 20, Device = script.Plan.Device with { WriteFaults = chance.Of(0, 0, 60) } };
        for (int i = 0; i < 30; i++)
        {
            switch (chance.Next(6))
            {
                case 0:
                    script.SetSize(0, chance.Next(Size));
                    break;
                case 1:
                    script.Write(0, chance.Next(Size), chance.Between(1, 9000)).Sync(0);
                    break;
                case 2:
                    script.Read(0, chance.Next(Size), chance.Between(1, 9000));
                    break;
                default:
                    script.Write(0, script.SectorBelow(Size), script.Sectors(24), Direct);
                    break;
            }
        }

        return script.Finish();
    }

    private static Plan SubBlockWrites(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Ext2, VolumeShape.Ext4);
        for (int round = 0; round < 6; round++)
        {
            long start = round * 3L * script.Block;
            for (int i = 0; i < 4; i++)
            {
                int part = script.Block / 4;
                script.Write(chance.Next(4), start + (i * part), part, Direct, isAsync: true);
            }

            script.Read(4, start, script.Block, chance.OneIn(2) ? Direct : IoOptions.None);
        }

        return script.Finish();
    }

    private static Plan ShiftedAfterTruncate(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Write(0, 0, 48 * 1024, chance.OneIn(2) ? Direct : IoOptions.None).SetSize(0, 41472);
        script.Write(chance.Next(2), 37376, 4096, Direct, isAsync: true);
        script.Write(chance.Next(2), 41472, 4096, Direct, isAsync: true);
        script.Read(2, 36864, 12 * 1024, Direct).Read(2, 36864, 12 * 1024);
        return script.Finish();
    }

    private static Plan AppendPreallocation(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Extents);
        for (int i = 0; i < 20; i++)
        {
            script.Write(0, 0, script.Sectors(12), Append | (chance.OneIn(2) ? Direct : 0), isAsync: chance.OneIn(2));
            script.Change(1, chance.Of(OperationKind.AllocateKeepingSize, OperationKind.Allocate), chance.Next(64 * 1024), chance.Between(1, 32 * 1024));
            script.Read(2, chance.Next(64 * 1024), chance.Between(1, 16 * 1024), IoOptions.None);
            script.Read(2, script.SectorBelow(64 * 1024), script.Sectors(24), Direct);
        }

        return script.Finish();
    }

    private static Plan ReadPastEnd(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Ext2, VolumeShape.Ext4);
        int size = chance.Between(1, 3 * Script.Sector);
        script.Write(0, 0, size).Sync(0);
        int next = (size + Script.Sector - 1) & -Script.Sector;
        for (int i = 0; i < 8; i++)
        {
            script.Read(1, next, script.Sectors(4), Direct, isAsync: true);
            script.Read(1, 0, script.Sectors(8), Direct, isAsync: true);
            if (i == 4)
            {
                script.Write(0, next + script.SectorBelow(1024), Script.Sector, Direct);
            }
        }

        return script.Finish();
    }

    private static Plan TwoInUnwritten(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Extents);
        const int Size = 64 * 1024;
        script.Change(0, OperationKind.Allocate, 0, Size);
        for (int i = 0; i < 16; i++)
        {
            script.Write(i % 2, script.SectorBelow(Size), script.Sectors(16), Direct, isAsync: chance.OneIn(2));
            script.Read(2, script.SectorBelow(Size), script.Sectors(32), chance.OneIn(2) ? Direct : IoOptions.None);
        }

        return script.Finish();
    }

    private static Plan UnwrittenError(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Extents);
        const int Size = 48 * 1024;
        script.Plan = script.Plan with { Device = script.Plan.Device with { WriteFaults = 300 } };
        if (chance.OneIn(2))
        {
            script.Change(0, OperationKind.Allocate, 0, Size);
        }

        for (int i = 0; i < 16; i++)
        {
            script.Write(i % 2, script.SectorBelow(Size), script.Sectors(16), Direct, isAsync: chance.OneIn(2));
            script.Read(2, script.SectorBelow(Size), script.Sectors(32), chance.OneIn(2) ? Direct : IoOptions.None);
        }

        return script.Finish();
    }

    private static Plan PunchDirect(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 48 * 1024;
        script.Write(0, 0, Size, Direct);
        for (int i = 0; i < 16; i++)
        {
            script.Write(0, script.SectorBelow(Size), script.Sectors(24), Direct, isAsync: true);
            script.Read(1, script.SectorBelow(Size), script.Sectors(24), chance.OneIn(2) ? Direct : IoOptions.None, isAsync: true);
            OperationKind kind = script.Plan.Shape.HasExtents && chance.OneIn(3) ? OperationKind.Zero : OperationKind.Punch;
            script.Change(2, kind, chance.OneIn(2) ? script.SectorBelow(Size) : chance.Next(Size), chance.Between(1, 20 * 1024));
            script.Write(3, script.SectorBelow(Size), script.Sectors(24), Direct, file: 1);
            script.Read(3, script.SectorBelow(Size), script.Sectors(24), Direct, file: 1);
            if (chance.OneIn(3))
            {
                script.Add(3, new Operation { Kind = OperationKind.SyncVolume });
            }
        }

        return script.Finish();
    }

    private static Plan CollapseInsert(Chance chance)
    {
        var script = new Script(chance, VolumeShape.Extents);
        int size = 12 * script.Block;
        script.Write(0, 0, size, Direct);
        for (int i = 0; i < 14; i++)
        {
            script.Write(0, script.SectorBelow(size), script.Sectors(16), Direct, isAsync: true);
            script.Read(1, script.SectorBelow(size), script.Sectors(24), chance.OneIn(2) ? Direct : IoOptions.None, isAsync: true);
            script.Change(
                2, i % 2 == 0 ? OperationKind.Insert : OperationKind.Collapse, chance.Next(10) * script.Block, chance.Between(1, 2) * script.Block);
            if (chance.OneIn(3))
            {
                script.Write(3, chance.Next(size), chance.Between(1, 5000));
            }
        }

        return script.Finish();
    }

    private static Plan NoSpace(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All.Where(s => s.HasExtents).ToList());
        script.Plan = script.Plan with { Ballast = script.Plan.Shape.Length - (chance.Between(1200, 1500) * 1024L) };
        for (int i = 0; i < 36; i++)
        {
            int client = i % 3;
            script.Write(client, i * 24L * 1024, 48 * 1024, chance.OneIn(3) ? IoOptions.None : Direct, file: client, isAsync: chance.OneIn(2));
            script.Read(3, script.SectorBelow(256 * 1024), 16 * 1024, chance.OneIn(2) ? Direct : IoOptions.None, file: chance.Next(3));
            if (chance.OneIn(8))
            {
                script.SetSize(client, 0, file: client);
            }
        }

        return script.Finish();
    }

    private static Plan TwoAppenders(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        IoOptions[] how = chance.Of<IoOptions[]>([Direct, Direct], [0, 0], [Direct, 0]);
        if (chance.OneIn(2))
        {
            // The last block is a hole that the file ends in: a direct append to a block-mapped file goes on buffered there.
            script.SetSize(0, script.Block + Script.Sector);
        }

        for (int i = 0; i < 24; i++)
        {
            // With both kinds, all lengths are whole sectors: a direct append at another end would be refused.
            bool isFree = how[0] == 0 && how[1] == 0;
            script.Write(i % 2, 0, isFree ? chance.Between(1, 5000) : script.Sectors(10), Append | how[i % 2], isAsync: chance.OneIn(2));
            if (chance.OneIn(6))
            {
                script.Read(2, chance.Next(48 * 1024), 8192);
            }
        }

        return script.Finish();
    }

    private static Plan HoleLater(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 64 * 1024;
        script.SetSize(0, Size);
        for (int at = 0; at < Size; at += 16 * 1024)
        {
            script.Write(0, at, 8 * 1024, Direct);
        }

        script.Join(0);
        for (int i = 0; i < 16; i++)
        {
            script.Write(i % 3, script.SectorBelow(Size - (24 * 1024)), 24 * 1024, Direct, isAsync: chance.OneIn(2));
            script.Read(3, script.SectorBelow(Size), script.Sectors(32), chance.OneIn(2) ? Direct : IoOptions.None);
            if (chance.OneIn(3))
            {
                script.Change(0, OperationKind.Punch, script.SectorBelow(Size), 8 * 1024);
            }
        }

        return script.Finish();
    }

    private static Plan EventLoopTruncate(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 64 * 1024;
        script.Write(0, 0, 48 * 1024, Direct);
        for (int i = 0; i < 30; i++)
        {
            // One client, everything asynchronous: whoever needed the loop to answer for itself would hang it.
            script.Write(0, script.SectorBelow(Size), script.Sectors(16), Direct, isAsync: true);
            script.Read(0, script.SectorBelow(Size), script.Sectors(16), Direct, isAsync: true);
            if (chance.OneIn(3))
            {
                script.Add(0, new Operation { Kind = OperationKind.SetSize, Offset = script.SectorBelow(Size), IsAsync = true });
            }
        }

        return script.Finish();
    }

    private static Plan TwoOpeners(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Plan = script.Plan with { Device = script.Plan.Device with { WriteFaults = 250 } };
        for (int i = 0; i < 24; i++)
        {
            script.Write(0, chance.Next(32 * 1024), chance.Between(1, 8000));
            if (chance.OneIn(3))
            {
                script.Sync(0, chance.Next(2));
            }

            if (chance.OneIn(3))
            {
                script.Add(0, new Operation { Kind = OperationKind.KickWriteback });
            }
        }

        return script.Finish();
    }

    private static Plan PowerLoss(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Plan = script.Plan with
        {
            LosesPower = true,
            DiscardsFreed = chance.OneIn(2),
            Device = script.Plan.Device with { FlushFaults = chance.Of(0, 0, 60) },
        };
        const int Size = 48 * 1024;
        for (int i = 0; i < 36; i++)
        {
            // Each client has a file of its own and does one thing after the other, so that nothing of it is on its way when the power goes.
            int file = i % 3;
            IoOptions how = chance.OneIn(2) ? Direct : IoOptions.None;
            IoOptions sync = chance.Of(IoOptions.None, IoOptions.DataSync, IoOptions.DataSync, IoOptions.Sync);
            switch (chance.Next(8))
            {
                case 0:
                    script.Add(file, new Operation { Kind = chance.Of(OperationKind.Sync, OperationKind.SyncData), File = file });
                    break;
                case 1:
                    script.SetSize(file, script.SectorBelow(Size), file);
                    break;
                case 2:
                    script.Change(file, OperationKind.Punch, script.SectorBelow(Size), script.Sectors(24), file);
                    break;
                default:
                    script.Write(file, script.SectorBelow(Size), script.Sectors(24), how | sync, file);
                    break;
            }
        }

        return script.Finish();
    }

    private static Plan ToggleDirect(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 32 * 1024;
        for (int i = 0; i < 40; i++)
        {
            var basis = new Operation { TakesFileOptions = true, Offset = script.SectorBelow(Size), Length = script.Sectors(16), IsAsync = chance.OneIn(2) };
            script.Add(i % 3, basis with { Kind = chance.OneIn(2) ? OperationKind.Read : OperationKind.Write });
            script.Add(3, new Operation { Kind = OperationKind.SetOptions, Options = chance.OneIn(2) ? Direct : IoOptions.None });
        }

        return script.Finish();
    }

    private static Plan Cancelled(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        const int Size = 32 * 1024;
        for (int i = 0; i < 40; i++)
        {
            script.Add(i % 4, new Operation
            {
                Kind = chance.OneIn(2) ? OperationKind.Read : OperationKind.Write,
                Options = chance.OneIn(4) ? IoOptions.None : Direct,
                Offset = script.SectorBelow(Size),
                Length = script.Sectors(16),
                IsAsync = chance.OneIn(2),
                IsCancelled = chance.OneIn(2),
            });
        }

        return script.Finish();
    }

    /// <summary>Rule 1.4: the inode lock is not held while the device is waited for.</summary>
    private static Plan StalledDevice(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        int size = 8 * script.Block;
        script.Write(0, 0, size, Direct).Sync(0);
        script.Add(0, new Operation
        {
            Kind = chance.OneIn(2) ? OperationKind.Write : OperationKind.Read, Options = Direct, Offset = 0, Length = script.Block, IsHeld = true, IsAsync = true,
        });
        script.Add(0, new Operation { Kind = OperationKind.Write, Options = Direct, Offset = size, Length = script.Block, MustPassHeld = true });
        return script.Finish();
    }

    private static Plan Misaligned(Chance chance)
    {
        var script = new Script(chance, VolumeShape.All);
        script.Write(0, 0, 16 * 1024);
        for (int i = 0; i < 12; i++)
        {
            int how = chance.Next(3);
            script.Add(i % 2, new Operation
            {
                Kind = chance.OneIn(2) ? OperationKind.Read : OperationKind.Write,
                Options = Direct,
                Offset = how == 0 ? chance.Next(8192) | 1 : script.SectorBelow(8192),
                Length = how == 1 ? chance.Next(8192) | 1 : script.Sectors(8),
                IsMisaligned = true,
            });
            script.Write(2, chance.Next(16 * 1024), 100);
        }

        return script.Finish();
    }
}
