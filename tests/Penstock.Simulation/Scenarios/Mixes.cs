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
    ];

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

    private static Plan DrawFaults(Chance chance)
    {
        Plan plan = Draw(chance, new Weights { Syncs = 3 }, VolumeShape.All);
        return plan with
        {
            Device = plan.Device with
            {
                ReadFaults = chance.Of(0, 20, 100),
                WriteFaults = chance.Of(20, 100, 300),
                IsHostFull = chance.OneIn(3),
            },
        };
    }

    private static Plan Draw(Chance chance, Weights weights, IReadOnlyList<VolumeShape> shapes)
    {
        Plan plan = Basis(chance, shapes);
        int clients = chance.Between(2, 5);
        int files = chance.Between(1, 3);
        int span = chance.Of(8, 16, 64, 64, 192) * 1024;
        int each = chance.Between(12, 40);
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

        public int Total => Reads + Writes + Cuts + Ranges + Syncs + Caches + Shifts;
    }
}
