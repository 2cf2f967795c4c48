using System.Globalization;
using Penstock.Caching;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Memory;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>Carries operations out, as users would, and has what came of them judged.</summary>
internal sealed class Performer
{
    private const int MostInFlight = 8;

    private readonly World world;
    private readonly Dictionary<nint, (Operation Operation, long Begun)> _buffers = [];
    private long _begun;

    public Performer(World world)
    {
        this.world = world;
        world.LettingGo = JudgeStall;
        world.SubmittingDirectWrite = JudgeDirectWrite;
    }

    /// <summary>How many operations have been carried out.</summary>
    public long Done { get; private set; }

    /// <summary>The operations under way.</summary>
    public List<Operation> InFlight { get; } = [];

    /// <summary>One client, from its first operation to its last.</summary>
    public async Task RunClientAsync(IReadOnlyList<Operation> operations)
    {
        var inFlight = new Queue<Task>();
        foreach (Operation operation in operations)
        {
            await new UserTurn(world.Scheduler);
            while (inFlight.Count > 0 && (operation.Joins || inFlight.Count >= MostInFlight))
            {
                await inFlight.Dequeue();
            }

            if (world.Violation is not null)
            {
                break;
            }

            Task task = PerformAsync(operation);
            if (operation.IsAsync)
            {
                inFlight.Enqueue(task);
            }
            else
            {
                await task;
            }
        }

        while (inFlight.Count > 0)
        {
            await inFlight.Dequeue();
        }
    }

    public async Task PerformAsync(Operation operation)
    {
        InFlight.Add(operation);
        _begun++;
        Begin(operation);
        string outcome;
        using (OperationScope scope = world.Recorder.BeginOperation(operation.Kind.ToString()))
        {
            try
            {
                outcome = operation.Kind switch
                {
                    OperationKind.Read => await ReadAsync(operation),
                    OperationKind.Write => await WriteAsync(operation),
                    OperationKind.SetSize => await SetSizeAsync(operation),
                    OperationKind.Sync or OperationKind.SyncData => await SyncAsync(operation),
                    OperationKind.Collapse or OperationKind.Insert => await ShiftAsync(operation),
                    OperationKind.Copy => await CopyAsync(operation),
                    OperationKind.DropCache or OperationKind.KickWriteback or OperationKind.SetOptions or OperationKind.SyncVolume =>
                        await ManageAsync(operation),
                    _ => await ChangeRangeAsync(operation),
                };
            }
            catch (Exception e)
            {
                outcome = e.Message;
                world.Violate($"{operation}: {e}");
            }

            JudgeScope(operation, scope);
        }

        Done++;
        InFlight.Remove(operation);
        if (world.Trace.KeepsLines)
        {
            world.Trace.Tell(world.Scheduler.Steps, Who(operation), $"#{operation.Id} ended: {outcome}");
        }
    }

    /// <summary>Rule 1.4: what must pass a stalled device has passed before anything is let go.</summary>
    private void JudgeStall()
    {
        if (InFlight.Find(static o => o.MustPassHeld) is { } operation)
        {
            world.Violate($"{operation} waits for requests of others that the device has not completed");
        }
    }

    /// <summary>Rule 2.6: no page of the range is cached when a direct write goes to the device. A reader may have refilled one, so only when there is none.</summary>
    private void JudgeDirectWrite(nint address)
    {
        if (!_buffers.TryGetValue(address & ~(nint)(BufferPool.Length - 1), out (Operation Operation, long Begun) place)
            || !IsAlone(place.Operation, place.Begun))
        {
            return;
        }

        Operation operation = place.Operation;
        SimulatedFile file = world.Files[operation.File];
        FilePages pages = file.Inode.Pages!;
        for (long page = operation.Offset / pages.PageSize; page * pages.PageSize < operation.Offset + operation.Length; page++)
        {
            if ((operation.Options & IoOptions.Append) == 0 && !world.Device.HasFills && pages.Contains(page))
            {
                world.Violate($"{operation} goes to the device while page {page} of its range is cached");
            }
        }
    }

    /// <summary>Whether no other operation was under way since one began.</summary>
    private bool IsAlone(Operation operation, long begun) => _begun == begun && InFlight.Count == 1 && InFlight[0] == operation;

    private static string Who(Operation operation) => string.Create(CultureInfo.InvariantCulture, $"client {operation.Client}");

    private void Begin(Operation operation)
    {
        world.Trace.Note(Execution.TraceKind.OperationBegun, (ulong)operation.Id);
        if (world.Trace.KeepsLines)
        {
            world.Trace.Tell(world.Scheduler.Steps, Who(operation), operation.ToString());
        }
    }

    /// <summary>Rule 2.22: what is misaligned is refused before any lock is taken.</summary>
    private void JudgeScope(Operation operation, in OperationScope scope)
    {
        if (operation.IsMisaligned && scope.Acquisitions > 0)
        {
            world.Violate($"{operation} is misaligned, but {scope.Acquisitions} locks were taken for it");
        }
    }

    private string End(Operation operation, long result, IoFault fault, string? problem)
    {
        world.Trace.Note(Execution.TraceKind.OperationEnded, (ulong)operation.Id, (ulong)result | ((ulong)fault << 56));
        problem ??= Faults.Judge(new FaultGrounds(world.Plan, world.Device.Faults, world.Files[operation.File].HasDirectWrites), operation, fault, result);
        if (problem is not null)
        {
            world.Violate($"{operation}: {problem}");
        }

        return fault == IoFault.None ? result.ToString(CultureInfo.InvariantCulture) : $"{result}, {fault}";
    }

    private async Task<string> ReadAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        IoSegment buffer = RentFor(operation);
        buffer.Bytes[..operation.Length].Fill(BufferPool.Canary);
        IoOptions options = OptionsOf(operation);
        file.DirectInFlight += IsDirect(options);
        ReadTicket ticket = file.Judge.BeginRead(operation.Offset, operation.Length);
        (long bytes, IoFault fault) = await UserCalls.TryAsync(() => operation.IsMapped
            ? UserCalls.MapAsync(file.Handles[operation.Handle].ReadSegmentsAsync(UserCalls.Segments(buffer, operation), operation.Offset, options))
            : UserCalls.TransferAsync(file.Handles[operation.Handle], operation, buffer, options));
        file.DirectInFlight -= IsDirect(options);
        string? problem = file.Judge.EndRead(ticket, buffer.Bytes[..(int)Math.Min(bytes, operation.Length)], fault != IoFault.None || world.Device.Faults > 0)
            ?? UserCalls.JudgeRest(buffer, operation, bytes, fault);
        world.Trace.Note(Execution.TraceKind.Content, Sample(buffer, bytes));
        world.Buffers.Return(buffer, operation.Length);
        return End(operation, bytes, fault, problem);
    }

    private async Task<string> WriteAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        IoSegment buffer = RentFor(operation);
        Tag.Fill(buffer.Bytes[..operation.Length], operation.Id, 0);
        IoOptions options = OptionsOf(operation);
        bool isAppend = (options & IoOptions.Append) != 0;
        file.DirectInFlight += IsDirect(options);
        file.HasDirectWrites |= (options & IoOptions.Direct) != 0;
        bool wasDirty = file.Inode.Pages!.IsDirty || InFlight.Count > 1;
        long begun = _begun;
        int syncs = (options & (IoOptions.DataSync | IoOptions.Sync)) != 0 ? file.Errors.Begin(operation.Handle) : -1;
        WriteRecord record = file.Judge.BeginWrite(operation.Id, operation.Offset, operation.Length, isAppend);
        (long bytes, IoFault fault) = await UserCalls.TryAsync(() => operation.IsMapped
            ? UserCalls.MapAsync(file.Handles[operation.Handle].WriteSegmentsAsync(UserCalls.Segments(buffer, operation), operation.Offset, options))
            : UserCalls.TransferAsync(file.Handles[operation.Handle], operation, buffer, options));
        file.DirectInFlight -= IsDirect(options);
        if (!wasDirty && IsDirect(options) == 1 && bytes == operation.Length && IsAlone(operation, begun) && file.Inode.Pages!.IsDirty)
        {
            world.Violate($"{operation} has returned, but its data is dirty in the cache and not on the device");
        }

        // What a sync, or the writeback after a fallback, could not bring to the device is in the file all the same.
        bool mayHaveExtended = (fault != IoFault.None || bytes < operation.Length) && !operation.IsMisaligned
            && ((options & (IoOptions.DataSync | IoOptions.Sync)) != 0 || !world.Plan.Shape.HasExtents);
        string? problem = file.Judge.EndWrite(record, bytes, mayHaveExtended);
        if (bytes > 0 && (file.Inode.Attributes.Mode & 0x800) != 0)
        {
            problem ??= "the file was written, but its setuid bit is still there";
        }

        if (bytes > 0 && (options & (IoOptions.DataSync | IoOptions.Sync)) != 0 && fault == IoFault.None)
        {
            file.Judge.MakeDurable(record);
            world.NoteDurable(operation.File);
        }

        file.Errors.End(operation.Handle, syncs);

        world.Buffers.Return(buffer, operation.Length);
        return End(operation, bytes, fault, problem);
    }

    private async Task<string> SetSizeAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        WriteRecord record = file.Judge.BeginSetSize(operation.Offset);
        IoFault fault = await UserCalls.TryAsync(() => file.Handles[operation.Handle].SetLengthAsync(operation.Offset));
        return End(operation, 0, fault, file.Judge.EndSetSize(record, fault == IoFault.None));
    }

    private async Task<string> ChangeRangeAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        long end = operation.Offset + operation.Length;
        bool zeroes = operation.Kind is OperationKind.Punch or OperationKind.Zero or OperationKind.ZeroKeepingSize;
        long growsTo = operation.Kind is OperationKind.Allocate or OperationKind.Zero ? end : 0;
        WriteRecord record = file.Judge.BeginZeros(operation.Offset, zeroes ? end : operation.Offset, growsTo);
        IoFault fault = await UserCalls.TryAsync(() => file.Handles[operation.Handle].ChangeRangeAsync(UserCalls.ToChange(operation.Kind), operation.Offset, operation.Length));
        return End(operation, 0, fault, file.Judge.EndZeros(record, fault == IoFault.None, growsTo));
    }

    private async Task<string> ShiftAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        if (file.Judge.IsShifting)
        {
            return "left out: another shift is in flight";
        }

        WriteRecord record = file.Judge.BeginShift(operation.Offset, operation.Kind == OperationKind.Collapse ? -operation.Length : operation.Length);
        IoFault fault = await UserCalls.TryAsync(() => file.Handles[operation.Handle].ChangeRangeAsync(UserCalls.ToChange(operation.Kind), operation.Offset, operation.Length));
        return End(operation, 0, fault, file.Judge.EndShift(record, fault == IoFault.None));
    }

    private async Task<string> CopyAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        SimulatedFile target = world.Files[operation.ToFile];
        CopySource copy = file.Judge.BeginCopy(operation.Offset, operation.Length);
        WriteRecord record = target.Judge.BeginWrite(operation.Id, operation.ToOffset, operation.Length, isAppend: false, copy);
        (long bytes, IoFault fault) = await UserCalls.TryAsync(
            () => file.Handles[operation.Handle].CopyRangeAsync(operation.Offset, target.Handles[operation.Handle], operation.ToOffset, operation.Length));
        string? problem = file.Judge.EndCopy(copy, bytes, fault != IoFault.None || world.Device.Faults > 0)
            ?? target.Judge.EndWrite(record, bytes, mayHaveExtended: fault != IoFault.None);
        return End(operation, bytes, fault, problem);
    }

    private async Task<string> SyncAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
        int begun = file.Errors.Begin(operation.Handle);
        long moment = file.Judge.Moment();
        IoFault fault = await UserCalls.TryAsync(() => file.Handles[operation.Handle].FlushAsync(operation.Kind == OperationKind.SyncData));
        if (file.Errors.End(operation.Handle, begun) && fault == IoFault.None)
        {
            world.Violate($"{operation}: a writeback of the file has failed, and this open file was not told");
        }

        if (fault == IoFault.None)
        {
            file.Judge.MakeDurable(moment);
            world.NoteDurable(operation.File);
        }

        return End(operation, 0, fault, null);
    }

    private async Task<string> ManageAsync(Operation operation)
    {
        SimulatedFile file = world.Files[operation.File];
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
                fault = await SyncVolumeAsync();
                break;
            default:
                file.Handles[operation.Handle].Options = operation.Options;
                break;
        }

        return End(operation, 0, fault, null);
    }

    private async Task<IoFault> SyncVolumeAsync()
    {
        long[] moments = [.. world.Files.Select(static f => f.Judge.Moment())];
        IoFault fault = await UserCalls.TryAsync(() => SyncPath.SyncFileSystemAsync(world.FileSystem));
        foreach (SimulatedFile file in world.Files.Where(_ => fault == IoFault.None))
        {
            file.Judge.MakeDurable(moments[file.Number]);
        }

        return fault;
    }

    private IoSegment RentFor(Operation operation)
    {
        IoSegment buffer = world.Buffers.Rent();
        _buffers[buffer.Address] = (operation, InFlight.Count > 1 ? -1 : _begun);
        if (operation.IsHeld)
        {
            world.Hold(buffer.Address);
        }

        return buffer;
    }

    private IoOptions OptionsOf(Operation operation) =>
        operation.TakesFileOptions ? world.Files[operation.File].Handles[operation.Handle].Options : operation.Options;

    private static int IsDirect(IoOptions options) => (options & IoOptions.Direct) != 0 ? 1 : 0;

    private static ulong Sample(IoSegment buffer, long bytes)
    {
        ulong sample = 0;
        for (int at = 0; at + 8 <= bytes; at += 256)
        {
            sample = (sample * 31) + BitConverter.ToUInt64(buffer.Bytes[at..]);
        }

        return sample;
    }
}
