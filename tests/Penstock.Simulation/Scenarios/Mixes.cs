using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Scenarios;

/// <summary>Random mixes of everything.</summary>
internal static class Mixes
{
    private const int Sector = 512;

    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("mix", "everything at once on a few files, nothing fails", chance => Draw(chance, new Weights(), VolumeShape.All)),
        new("mix-extents", "as mix, with collapse and insert", chance => Draw(chance, new Weights { Shifts = 4 }, VolumeShape.Extents)),
        new("mix-faults", "everything at once, and the device fails now and then", DrawFaults),
        new("mix-journal", "everything at once on a journal: commits, checkpoints, a log that goes round", DrawJournal),
        new("mix-journal-faults", "as mix-journal, and the device fails now and then", DrawJournalFaults),
        new("mix-inline", "everything at once on files that lie in their inodes, and outgrow them now and then", DrawInline),
        new("mix-metadata-faults", "as mix-journal, and reads of metadata fail now and then, of which little is kept in memory", DrawMetadataFaults),
        new("power-loss-mix", "the power goes at any moment of a mix, the journal is recovered, every file judged", DrawPowerLoss),
    ];

    /// <summary>A crowd, for real threads: more clients with more to do.</summary>
    public static Plan DrawCrowd(Chance chance)
    {
        IReadOnlyList<VolumeShape> shapes = chance.OneIn(2) ? VolumeShape.All : VolumeShape.WithJournal;
        return Draw(chance, new Weights { Syncs = 4 }, shapes, clients: chance.Between(3, 8), each: chance.Between(40, 160));
    }

    /// <summary>The part of a plan that every scenario draws alike.</summary>
    public static Plan Basis(Chance chance, IReadOnlyList<VolumeShape> shapes) => new()
    {
        Shape = shapes[chance.Next(shapes.Count)],
        Operations = [],
        CacheBytes = chance.Of(64, 64, 128, 256, 1024) * 1024L,
        MetadataBytes = chance.Of(128, 1024) * 1024L,
        DiscardsFreed = chance.OneIn(2),
        Order = OrderProfile.Draw(chance),
        Device = DeviceProfile.Draw(chance),
    };

    private static Plan DrawFaults(Chance chance) => WithFaults(chance, Draw(chance, new Weights { Syncs = 3 }, VolumeShape.All));

    private static Plan WithFaults(Chance chance, Plan plan) => plan with
    {
        Device = plan.Device with
        {
            ReadFaults = chance.Of(0, 20, 100),
            WriteFaults = chance.Of(20, 100, 300),
            IsHostFull = chance.OneIn(3),
        },
    };

    /// <summary>
    /// Without copies, since whose write-back failed is told by whose bytes it carried; and without ext3, which takes no more changes where the device refuses data: the crash
    /// test's sweep of faults looks at that.
    /// </summary>
    private static Plan DrawJournalFaults(Chance chance) =>
        WithFaults(chance, Draw(chance, new Weights { Cuts = 8, Ranges = 9, Syncs = 3 }, [.. VolumeShape.WithJournal.Where(static s => s.HasExtents)]));

    private static Plan DrawJournal(Chance chance) => Draw(chance, new Weights { Cuts = 8, Ranges = 9, Syncs = 9, Copies = 4 }, VolumeShape.WithJournal);

    private static Plan DrawInline(Chance chance) =>
        Draw(chance, new Weights { Cuts = 9, Ranges = 9, Syncs = 6 }, VolumeShape.WithInlineData, span: chance.Of(100, 200, 600, 8192));

    /// <summary>
    /// Without ext3 on a journal: a read that fails ends the commits there more often, and a change of size that is refused because of that has dropped dirty pages by then.
    /// </summary>
    private static Plan DrawMetadataFaults(Chance chance)
    {
        IReadOnlyList<VolumeShape> shapes = chance.OneIn(2) ? [.. VolumeShape.WithJournal.Where(static s => s.HasExtents)] : VolumeShape.All;
        Plan plan = Draw(chance, new Weights { Cuts = 8, Ranges = 9, Syncs = 5 }, shapes);
        return plan with { MetadataBytes = 64 * 1024, Device = plan.Device with { MetadataReadFaults = chance.Of(5, 20, 80) } };
    }

    private static Plan DrawPowerLoss(Chance chance) =>
        DrawJournal(chance) with { LosesPower = true, MostStepsToPowerLoss = chance.Of(400, 3000, 12_000) };

    private static Plan Draw(Chance chance, Weights weights, IReadOnlyList<VolumeShape> shapes, int clients = 0, int each = 0, int span = 0)
    {
        Plan plan = Basis(chance, shapes);
        clients = clients > 0 ? clients : chance.Between(2, 5);
        int files = chance.Between(1, 3);
        span = span > 0 ? span : chance.Of(8, 16, 64, 64, 192) * 1024;
        each = each > 0 ? each : chance.Between(12, 40);
        var operations = new List<Operation>();
        for (int i = 0; i < clients * each; i++)
        {
            operations.Add(One(chance, weights, plan.Shape, files, span) with { Id = i + 1, Client = i % clients });
        }

        return plan with { Operations = operations };
    }

    private static Operation One(Chance chance, Weights weights, VolumeShape shape, int files, int span)
    {
        var basis = new Operation
        {
            File = chance.Next(files), Handle = chance.Next(2), IsAsync = chance.OneIn(3), Segments = chance.OneIn(6) ? chance.Between(2, 4) : 1,
        };
        int draw = chance.Next(weights.Total);
        if ((draw -= weights.Reads) < 0)
        {
            return Transfer(chance, basis with { Kind = OperationKind.Read }, span);
        }

        if ((draw -= weights.Writes) < 0)
        {
            return Transfer(chance, basis with { Kind = OperationKind.Write }, span);
        }

        if ((draw -= weights.Cuts) < 0)
        {
            return basis with { Kind = OperationKind.SetSize, Offset = chance.OneIn(2) ? Sectors(chance, span) : chance.Next(span) };
        }

        if ((draw -= weights.Ranges) < 0)
        {
            OperationKind kind = shape.HasExtents
                ? chance.Of(OperationKind.Punch, OperationKind.Punch, OperationKind.Zero, OperationKind.ZeroKeepingSize, OperationKind.Allocate, OperationKind.AllocateKeepingSize)
                : OperationKind.Punch;
            return Range(chance, basis with { Kind = kind }, span);
        }

        if ((draw -= weights.Syncs) < 0)
        {
            return basis with { Kind = chance.Of(OperationKind.Sync, OperationKind.SyncData, OperationKind.SyncVolume) };
        }

        if ((draw -= weights.Caches) < 0)
        {
            return basis with { Kind = chance.Of(OperationKind.DropCache, OperationKind.KickWriteback, OperationKind.SetOptions), Options = chance.Of(IoOptions.None, IoOptions.Direct) };
        }

        if ((draw -= weights.Copies) < 0)
        {
            return Copy(chance, basis with { Kind = OperationKind.Copy }, span);
        }

        int block = shape.BlockSize;
        return basis with
        {
            Kind = chance.Of(OperationKind.Collapse, OperationKind.Insert),
            Offset = chance.Next(span / block) * block,
            Length = chance.Between(1, 4) * block,
        };
    }

    /// <summary>A read or write: direct and aligned, or buffered at any byte, or as a memory map would.</summary>
    private static Operation Transfer(Chance chance, Operation operation, int span)
    {
        int most = Math.Min(span, 24 * 1024);
        switch (chance.Next(16))
        {
            case < 7:
                operation = operation with { Options = IoOptions.Direct, Offset = Sectors(chance, span), Length = chance.Between(1, most / Sector) * Sector };
                break;
            case 7:
                operation = operation with { TakesFileOptions = true, Offset = Sectors(chance, span), Length = chance.Between(1, most / Sector) * Sector };
                break;
            case 8:
                const int Page = 4096;
                return operation with { IsMapped = true, Segments = 1, Offset = chance.Next(span / Page) * Page, Length = chance.Between(1, 3) * Page };
            case 9 when chance.OneIn(4):
                return operation with { Options = IoOptions.Direct, IsMisaligned = true, Segments = 1, Offset = Sectors(chance, span), Length = Sector * chance.Between(1, 8) };
            case < 12:
                operation = operation with { Offset = Sectors(chance, span), Length = chance.Between(1, most / Sector) * Sector };
                break;
            default:
                operation = operation with { Offset = chance.Next(span), Length = chance.Between(1, chance.Of(16, 700, 5000, most)) };
                break;
        }

        if (operation.Kind == OperationKind.Write && !operation.TakesFileOptions)
        {
            IoOptions more = chance.Next(12) switch { 0 => IoOptions.Append, 1 => IoOptions.DataSync, 2 => IoOptions.Sync, _ => IoOptions.None };
            operation = operation with { Options = operation.Options | more };
        }

        return operation with { IsCancelled = chance.OneIn(40), Segments = operation.Length < 2048 ? 1 : operation.Segments };
    }

    private static Operation Range(Chance chance, Operation operation, int span) => chance.OneIn(2)
        ? operation with { Offset = Sectors(chance, span), Length = chance.Between(1, 40) * Sector }
        : operation with { Offset = chance.Next(span), Length = chance.Between(1, 20000) };

    /// <summary>To another file, or to another half of the same.</summary>
    private static Operation Copy(Chance chance, Operation operation, int span)
    {
        operation = operation with
        {
            Offset = chance.Next(span), Length = chance.Between(1, Math.Min(span, 40_000)), ToFile = chance.Next(VolumeImage.FileCount), ToOffset = chance.Next(span),
        };
        return operation.ToFile == operation.File && Math.Abs(operation.Offset - operation.ToOffset) < operation.Length
            ? operation with { ToOffset = operation.Offset + operation.Length }
            : operation;
    }

    private static int Sectors(Chance chance, int span) => chance.Next(span / Sector) * Sector;

    /// <summary>How often each sort of operation comes.</summary>
    private sealed record Weights
    {
        public int Reads { get; init; } = 30;

        public int Writes { get; init; } = 36;

        public int Cuts { get; init; } = 5;

        public int Ranges { get; init; } = 5;

        public int Syncs { get; init; } = 2;

        public int Caches { get; init; } = 3;

        public int Shifts { get; init; }

        public int Copies { get; init; }

        public int Total => Reads + Writes + Cuts + Ranges + Syncs + Caches + Shifts + Copies;
    }
}
