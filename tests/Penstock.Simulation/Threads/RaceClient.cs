using Penstock.Files;
using Penstock.Locking;
using Penstock.Memory;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>
/// A user with a thread of his own: does one operation after the other, some of them asynchronous, and has what came of them judged. Continuations run
/// wherever the library runs them.
/// </summary>
internal sealed class RaceClient(RaceWorld world, ulong seed)
{
    private const int MostInFlight = 8;

    private readonly Chance _chance = new(seed);

    /// <summary>From the first operation to the last; blocks the thread.</summary>
    public void Run(IReadOnlyList<Operation> operations)
    {
        var inFlight = new Queue<Task>();
        foreach (Operation operation in operations)
        {
            while (inFlight.Count > 0 && (operation.Joins || inFlight.Count >= MostInFlight))
            {
                inFlight.Dequeue().GetAwaiter().GetResult();
            }

            if (world.Violation is not null)
            {
                break;
            }

            if (operation.Kind == OperationKind.Copy || (operation.IsMisaligned && world.Device.MemoryAlignment < ShakenDevice.Sector))
            {
                // A copy is judged by two files at one time, which have no clock in common here; and there are devices to which any memory will do.
                continue;
            }

            Task task = PerformAsync(operation, blocks: !operation.IsAsync && _chance.OneIn(2));
            if (operation.IsAsync)
            {
                inFlight.Enqueue(task);
            }
            else
            {
                task.GetAwaiter().GetResult();
            }
        }

        while (inFlight.Count > 0)
        {
            inFlight.Dequeue().GetAwaiter().GetResult();
        }
    }

    /// <summary>Carries one out. Nothing escapes: what is wrong is the world's violation.</summary>
    public async Task PerformAsync(Operation operation, bool blocks = false)
    {
        try
        {
            if (world.Recorder is { } recorder)
            {
                using OperationScope scope = recorder.BeginOperation(operation.Kind.ToString());
                await CarryOutAsync(operation, blocks);
            }
            else
            {
                await CarryOutAsync(operation, blocks);
            }
        }
        catch (Exception e)
        {
            world.Violate($"{operation}: {e}");
        }

        world.NoteDone();
    }

    private Task CarryOutAsync(Operation operation, bool blocks) => operation.Kind switch
    {
        OperationKind.Read => ReadAsync(operation, blocks),
        OperationKind.Write => WriteAsync(operation, blocks),
        OperationKind.SetSize => SetSizeAsync(operation),
        OperationKind.Sync or OperationKind.SyncData => SyncAsync(operation),
        OperationKind.Collapse or OperationKind.Insert => ShiftAsync(operation),
        OperationKind.DropCache or OperationKind.KickWriteback or OperationKind.SetOptions or OperationKind.SyncVolume => ManageAsync(operation),
        _ => ChangeRangeAsync(operation),
    };

    private void End(Operation operation, long result, IoFault fault, string? problem)
    {
        problem ??= Faults.Judge(new FaultGrounds(world.Plan, 0, world.Files[operation.File].HasDirectWrites), operation, fault, result);
        if (problem is not null)
        {
            world.Violate($"{operation}: {problem}");
        }
    }

    private IoSegment Rent()
    {
        if (world.Buffers.Rent(out IoSegment buffer) is { } problem)
        {
            world.Violate(problem);
        }

        return buffer;
    }

    private async Task ReadAsync(Operation operation, bool blocks)
    {
        RaceFile file = world.Files[operation.File];
        IoSegment buffer = Rent();
        buffer.Bytes[..operation.Length].Fill(BufferPool.Canary);
        IoOptions options = OptionsOf(file, operation);
        ReadTicket ticket = file.Tell(j => j.BeginRead(operation.Offset, operation.Length));
        (long bytes, IoFault fault) = await UserCalls.TryAsync(() => TransferAsync(file, operation, buffer, options, blocks));
        string? problem = file.EndRead(ticket, buffer.Bytes[..(int)Math.Min(bytes, operation.Length)], fault != IoFault.None)
            ?? UserCalls.JudgeRest(buffer, operation, bytes, fault);
        world.Buffers.Return(buffer);
        End(operation, bytes, fault, problem);
    }

    private async Task WriteAsync(Operation operation, bool blocks)
    {
        RaceFile file = world.Files[operation.File];
        IoSegment buffer = Rent();
        Tag.Fill(buffer.Bytes[..operation.Length], operation.Id, 0);
        IoOptions options = OptionsOf(file, operation);
        file.HasDirectWrites |= (options & IoOptions.Direct) != 0;
        bool isAppend = (options & IoOptions.Append) != 0;
        WriteRecord record = file.Tell(j => j.BeginWrite(operation.Id, operation.Offset, operation.Length, isAppend));
        (long bytes, IoFault fault) = await UserCalls.TryAsync(() => TransferAsync(file, operation, buffer, options, blocks));
        bool mayHaveExtended = (fault != IoFault.None || bytes < operation.Length) && !operation.IsMisaligned
            && ((options & (IoOptions.DataSync | IoOptions.Sync)) != 0 || !world.Plan.Shape.HasExtents);
        string? problem = file.Tell(j => j.EndWrite(record, bytes, mayHaveExtended));
        if (bytes > 0 && (file.Inode.Attributes.Mode & 0x800) != 0)
        {
            problem ??= "the file was written, but its setuid bit is still there";
        }

        world.Buffers.Return(buffer);
        End(operation, bytes, fault, problem);
    }

    private static ValueTask<long> TransferAsync(RaceFile file, Operation operation, IoSegment buffer, IoOptions options, bool blocks)
    {
        if (operation.IsMapped)
        {
            OpenFile handle = file.Handles[operation.Handle];
            return UserCalls.MapAsync(operation.Kind == OperationKind.Read
                ? handle.ReadSegmentsAsync(UserCalls.Segments(buffer, operation), operation.Offset, options)
                : handle.WriteSegmentsAsync(UserCalls.Segments(buffer, operation), operation.Offset, options));
        }

        if (blocks && options is IoOptions.None or IoOptions.Direct && operation is { Segments: 1, IsCancelled: false, IsMisaligned: false })
        {
            OpenFile handle = file.BlockingHandles[options == IoOptions.Direct ? 1 : 0];
            Memory<byte> memory = new NativeBuffer(buffer.Address, operation.Length).Memory;
            return new ValueTask<long>(operation.Kind == OperationKind.Read
                ? handle.Read(memory, operation.Offset)
                : handle.Write(memory, operation.Offset));
        }

        return UserCalls.TransferAsync(file.Handles[operation.Handle], operation, buffer, options);
    }

    private async Task SetSizeAsync(Operation operation)
    {
        RaceFile file = world.Files[operation.File];
        WriteRecord record = file.Tell(j => j.BeginSetSize(operation.Offset));
        IoFault fault = await UserCalls.TryAsync(() => file.Handles[operation.Handle].SetLengthAsync(operation.Offset));
        End(operation, 0, fault, file.Tell(j => j.EndSetSize(record, fault == IoFault.None)));
    }

    private async Task ChangeRangeAsync(Operation operation)
    {
        RaceFile file = world.Files[operation.File];
        long end = operation.Offset + operation.Length;
        bool zeroes = operation.Kind is OperationKind.Punch or OperationKind.Zero or OperationKind.ZeroKeepingSize;
        long growsTo = operation.Kind is OperationKind.Allocate or OperationKind.Zero ? end : 0;
        WriteRecord record = file.Tell(j => j.BeginZeros(operation.Offset, zeroes ? end : operation.Offset, growsTo));
        IoFault fault = await ChangeAsync(file, operation);
        End(operation, 0, fault, file.Tell(j => j.EndZeros(record, fault == IoFault.None, growsTo)));
    }

    private async Task ShiftAsync(Operation operation)
    {
        RaceFile file = world.Files[operation.File];
        long length = operation.Kind == OperationKind.Collapse ? -operation.Length : operation.Length;
        WriteRecord? record = file.Tell(j => j.IsShifting ? null : j.BeginShift(operation.Offset, length));
        if (record is not null)
        {
            IoFault fault = await ChangeAsync(file, operation);
            End(operation, 0, fault, file.Tell(j => j.EndShift(record, fault == IoFault.None)));
        }
    }

    private static Task<IoFault> ChangeAsync(RaceFile file, Operation operation) => UserCalls.TryAsync(
        () => file.Handles[operation.Handle].ChangeRangeAsync(UserCalls.ToChange(operation.Kind), operation.Offset, operation.Length));

    private async Task SyncAsync(Operation operation)
    {
        IoFault fault = await UserCalls.TryAsync(
            () => world.Files[operation.File].Handles[operation.Handle].FlushAsync(operation.Kind == OperationKind.SyncData));
        End(operation, 0, fault, null);
    }

    private async Task ManageAsync(Operation operation)
    {
        RaceFile file = world.Files[operation.File];
        IoFault fault = IoFault.None;
        switch (operation.Kind)
        {
            case OperationKind.DropCache:
                await file.Inode.Pages!.InvalidateAsync(operation.Offset, operation.Length == 0 ? long.MaxValue : operation.Length);
                break;
            case OperationKind.KickWriteback:
                world.Cache.KickWriteback();
                break;
            case OperationKind.SyncVolume:
                fault = await UserCalls.TryAsync(() => SyncPath.SyncFileSystemAsync(world.FileSystem));
                break;
            default:
                file.Handles[operation.Handle].Options = operation.Options;
                break;
        }

        End(operation, 0, fault, null);
    }

    private static IoOptions OptionsOf(RaceFile file, Operation operation) =>
        operation.TakesFileOptions ? file.Handles[operation.Handle].Options : operation.Options;
}
