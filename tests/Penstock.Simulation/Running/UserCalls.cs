using Penstock.Files;
using Penstock.Memory;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Running;

/// <summary>The calls that a user makes to carry an operation out, and what came of them as values.</summary>
internal static class UserCalls
{
    /// <summary>A read or write by any of the file's calls, cancelled at once if the operation says so.</summary>
    public static ValueTask<long> TransferAsync(OpenFile handle, Operation operation, IoSegment buffer, IoOptions options)
    {
        int shift = operation.IsMisaligned && (operation.Offset & 511) == 0 && (operation.Length & 511) == 0 ? 4 : 0;
        Memory<byte> memory = new NativeBuffer(buffer.Address + shift, operation.Length).Memory;
        CancellationToken cancellation = default;
        CancellationTokenSource? source = null;
        if (operation.IsCancelled)
        {
            source = new CancellationTokenSource();
            cancellation = source.Token;
        }

        ValueTask<long> task;
        if (operation.Segments > 1)
        {
            task = operation.Kind == OperationKind.Read
                ? handle.ReadAsync(Cut(memory, operation.Segments), operation.Offset, options, cancellation)
                : handle.WriteAsync([.. Cut(memory, operation.Segments).Select(static m => (ReadOnlyMemory<byte>)m)], operation.Offset, options, cancellation);
        }
        else
        {
            task = WidenAsync(operation.Kind == OperationKind.Read
                ? handle.ReadAsync(memory, operation.Offset, options, cancellation)
                : handle.WriteAsync(memory, operation.Offset, options, cancellation));
        }

        source?.Cancel();
        return task;
    }

    private static List<Memory<byte>> Cut(Memory<byte> memory, int pieces)
    {
        var cut = new List<Memory<byte>>();
        int length = Math.Max(512, memory.Length / pieces & -512);
        while (memory.Length > 0)
        {
            int here = cut.Count == pieces - 1 ? memory.Length : Math.Min(length, memory.Length);
            cut.Add(memory[..here]);
            memory = memory[here..];
        }

        return cut;
    }

    private static async ValueTask<long> WidenAsync(ValueTask<int> task) => await task;

    /// <summary>What came of a transfer in memory that is the core's own.</summary>
    public static async ValueTask<long> MapAsync(ValueTask<IoResult> task)
    {
        IoResult result = await task;
        return result.Bytes > 0 || !result.IsFailed ? result.Bytes : throw new FileSystemException(result.Fault);
    }

    /// <summary>The operation's part of a buffer, as the core's own memory.</summary>
    public static SegmentList Segments(IoSegment buffer, Operation operation) =>
        SegmentList.Rent([buffer.Slice(0, operation.Length)], isOurs: true);

    /// <summary>The result of a call, or the fault that it failed with.</summary>
    public static async Task<(long Result, IoFault Fault)> TryAsync(Func<ValueTask<long>> action)
    {
        try
        {
            return (await action(), IoFault.None);
        }
        catch (FileSystemException e)
        {
            return (0, e.Fault);
        }
        catch (OperationCanceledException)
        {
            return (0, IoFault.Cancelled);
        }
    }

    /// <summary>The fault that a call failed with.</summary>
    public static async Task<IoFault> TryAsync(Func<ValueTask> action)
    {
        try
        {
            await action();
            return IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }

    /// <summary>The change of a range that an operation is.</summary>
    public static FileRangeChange ToChange(OperationKind kind) => kind switch
    {
        OperationKind.Allocate => FileRangeChange.Allocate,
        OperationKind.AllocateKeepingSize => FileRangeChange.AllocateKeepingSize,
        OperationKind.Punch => FileRangeChange.PunchHole,
        OperationKind.Zero => FileRangeChange.Zero,
        OperationKind.ZeroKeepingSize => FileRangeChange.ZeroKeepingSize,
        OperationKind.Collapse => FileRangeChange.Collapse,
        OperationKind.Insert => FileRangeChange.Insert,
        _ => throw new InvalidOperationException($"{kind} changes no range."),
    };

    /// <summary>What a read did not transfer is as the caller left it, or zeros; never what happened to lie on the device.</summary>
    public static string? JudgeRest(IoSegment buffer, Operation operation, long bytes, IoFault fault)
    {
        Span<byte> rest = buffer.Bytes[..operation.Length][(int)Math.Min(bytes, operation.Length)..];
        int other = fault == IoFault.None ? rest.IndexOfAnyExcept(BufferPool.Canary, (byte)0) : -1;
        return other < 0 ? null : $"beyond the {bytes} bytes that were read, the caller's memory holds {Tag.Describe(rest[other..])}";
    }
}
