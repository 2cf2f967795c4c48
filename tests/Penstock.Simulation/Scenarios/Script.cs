using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Scenarios;

/// <summary>Writes a plan down, operation by operation; clients interleave as the scheduler likes.</summary>
internal sealed class Script
{
    public const int Sector = 512;

    private readonly List<Operation> _operations = [];

    public Script(Chance chance, params IReadOnlyList<VolumeShape> shapes)
    {
        Chance = chance;
        Plan = Mixes.Basis(chance, shapes);
    }

    public Chance Chance { get; }

    public Plan Plan { get; set; }

    public int Block => Plan.Shape.BlockSize;

    /// <summary>The plan as written so far.</summary>
    public Plan Finish() => Plan with { Operations = _operations };

    public Script Add(int client, Operation operation)
    {
        _operations.Add(operation with { Id = _operations.Count + 1, Client = client });
        return this;
    }

    public Script Read(int client, long offset, int length, IoOptions options = IoOptions.None, int file = 0, bool isAsync = false) =>
        Add(client, new Operation { Kind = OperationKind.Read, File = file, Offset = offset, Length = length, Options = options, IsAsync = isAsync });

    public Script Write(int client, long offset, int length, IoOptions options = IoOptions.None, int file = 0, bool isAsync = false) =>
        Add(client, new Operation { Kind = OperationKind.Write, File = file, Offset = offset, Length = length, Options = options, IsAsync = isAsync });

    public Script SetSize(int client, long size, int file = 0) => Add(client, new Operation { Kind = OperationKind.SetSize, File = file, Offset = size });

    public Script Change(int client, OperationKind kind, long offset, int length, int file = 0) =>
        Add(client, new Operation { Kind = kind, File = file, Offset = offset, Length = length });

    public Script Sync(int client, int handle = 0, int file = 0) => Add(client, new Operation { Kind = OperationKind.Sync, File = file, Handle = handle });

    public Script DropCache(int client, int file = 0) => Add(client, new Operation { Kind = OperationKind.DropCache, File = file });

    /// <summary>Waits for all asynchronous operations of the client.</summary>
    public Script Join(int client) => Add(client, new Operation { Kind = OperationKind.KickWriteback, Joins = true });

    /// <summary>An offset of a sector below a limit.</summary>
    public int SectorBelow(int limit) => Chance.Next(limit / Sector) * Sector;

    /// <summary>A length of whole sectors.</summary>
    public int Sectors(int most) => Chance.Between(1, most) * Sector;
}
