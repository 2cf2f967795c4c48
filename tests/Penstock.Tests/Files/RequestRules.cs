using Penstock.Devices;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Rules of the semantics that reads and writes share, and those of files that are no ordinary ones.</summary>
public sealed class RequestRules
{
    [Fact]
    public void Rule_1_1_the_inode_lock_is_taken_before_the_gate() => World.Matters(Rule.LockBeforeGate, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        using (world.Recorder.BeginOperation("read and write"))
        {
            world.Read(file, 0, World.Block, IoOptions.Direct);
            world.Write(file, 2, 0, World.Block);
        }

        return world.Recorder.Violations.Count == 0;
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rule_1_10_a_request_cannot_complete_before_its_last_part_is_submitted(bool isWrite) =>
        World.Matters(Rule.CompletesAfterSubmission, world =>
        {
            OpenFile file = CreateInPieces(world);
            if (isWrite)
            {
                return world.Write(file, 2, 0, 4 * World.Block) == 4 * World.Block
                    && world.Read(file, 0, 4 * World.Block).All(b => b == 2) && world.IsBalanced(file);
            }

            return world.Read(file, 0, 4 * World.Block, IoOptions.Direct) is { Length: 4 * World.Block } bytes && bytes.All(b => b == 1);
        });

    [Fact]
    public void Rule_1_10_whether_a_request_locks_is_chosen_once() => World.Matters(Rule.LockingChosenOnce, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Hold(DeviceOperation.Read);
        Task<int> read = world.StartRead(file, World.Filled(World.Block, 0).Memory, 0);
        world.Idle();
        World.InodeOf(file).ProtectsItselfNow = true;
        world.Device.ReleaseAll();
        return world.Complete(read) == World.Block && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_14_a_synchronous_write_syncs_metadata_and_after_a_fallback_data_too() => World.Matters(Rule.SyncAfterCompletion, world =>
    {
        foreach (MemoryFileKind kind in new[] { MemoryFileKind.Extents, MemoryFileKind.BlockMapped })
        {
            OpenFile file = world.Create(kind);
            world.Complete(file.SetLengthAsync(2 * World.Block).AsTask());
            int commits = world.Volume.MemoryJournal.Commits;
            int flushes = world.Device.Count(DeviceOperation.Flush);
            world.Write(file, 2, World.Block, World.Block, IoOptions.Direct | IoOptions.Sync);
            if (file.Inode.IsAttributesDirty || file.Inode.Pages!.IsDirty || world.Volume.MemoryJournal.Commits == commits
                || world.Device.Count(DeviceOperation.Flush) == flushes)
            {
                return false;
            }
        }

        return true;
    });

    [Fact]
    public void Rule_1_15_a_request_in_parts_completes_once() => World.Matters(Rule.CompletesAfterSubmission, world =>
    {
        OpenFile file = CreateInPieces(world);
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 2, 0, 4 * World.Block);
        world.Idle();
        foreach (SimulatedOperation operation in world.Device.Held.Reverse().Skip(1))
        {
            world.Device.Release(operation);
        }

        world.Idle();
        bool isQueued = !write.IsCompleted;
        world.Device.HoldRule = null;
        world.Device.ReleaseAll();

        // The parts that are submitted from here on complete as soon as they can, each before the next is.
        bool isWhole = isQueued && world.Complete(write) == 4 * World.Block;
        return isWhole && world.Write(file, 3, 0, 4 * World.Block) == 4 * World.Block && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_23_direct_io_of_the_formats_own_enters_no_gate_and_agrees_with_the_cache() => World.Matters(Rule.OwnDirectIoIsFramed, world =>
    {
        OpenFile file = world.Create(MemoryFileKind.OwnDirectIo);
        world.WriteBuffered(file, 1, 0, 2 * World.Block);
        int before = world.Recorder.Trace.Count(IsGate);
        bool isReadBack = world.Read(file, 0, 2 * World.Block, IoOptions.Direct).All(b => b == 1);
        world.Write(file, 2, World.Block, 2 * World.Block);
        byte[] cached = world.Read(file, 0, 4 * World.Block);
        return isReadBack && cached.Length == 3 * World.Block && cached[..World.Block].All(b => b == 1) && cached[World.Block..].All(b => b == 2)
            && World.InodeOf(file).OwnRequests == 2 && world.Recorder.Trace.Count(IsGate) == before && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_2_2_a_file_that_protects_itself_allocates_as_its_mapper_decides() => World.Matters(Rule.MapperDecidesAllocation, world =>
    {
        OpenFile file = world.Create(MemoryFileKind.ProtectsItself);
        return world.Write(file, 7, World.Block, 2 * World.Block) == 2 * World.Block
            && World.InodeOf(file).Blocks.BlockCount == 2 && file.Length == 3 * World.Block
            && world.Read(file, World.Block, 2 * World.Block).All(b => b == 7);
    });

    [Fact]
    public void Rule_2_5_the_end_of_io_moves_the_size_forward_only() => World.Matters(Rule.SizeMovesForwardOnly, world =>
    {
        OpenFile file = world.Create();
        world.Complete(file.SetLengthAsync(8 * World.Block).AsTask());
        return world.Write(file, 1, 0, World.Block) == World.Block && file.Length == 8 * World.Block;
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rule_2_7_only_the_range_is_written_back(bool isWrite) => World.Matters(Rule.OnlyRangeIsFlushed, world =>
    {
        OpenFile file = world.CreateFilled(64 * World.Block, 1);
        world.WriteBuffered(file, 2, 32 * World.Block, World.Block);
        world.Device.ClearRecord();
        _ = isWrite ? world.Write(file, 3, 0, World.Block) : world.Read(file, 0, World.Block, IoOptions.Direct).Length;
        return world.Device.Count(DeviceOperation.Write) == (isWrite ? 1 : 0) && file.Inode.Pages!.IsDirty
            && world.Read(file, 32 * World.Block, World.Block, IoOptions.Direct).All(b => b == 2);
    });

    [Fact]
    public void Rule_2_8_removal_drops_cached_pages() => World.Matters(Rule.RemovalDropsPages, world =>
    {
        OpenFile file = world.CreateFilled(4 * World.Block, 1);
        world.Read(file, 0, 4 * World.Block);
        world.Complete(file.ChangeRangeAsync(FileRangeChange.PunchHole, World.Block, 2 * World.Block).AsTask());
        return world.Read(file, World.Block, 2 * World.Block).All(b => b == 0);
    });

    [Fact]
    public void Rule_2_8_collapse_drops_the_cached_pages_of_what_it_moves() => World.Matters(Rule.ShiftDropsPages, world =>
    {
        OpenFile file = world.CreateFilled(2 * World.Block, 1);
        world.WriteBuffered(file, 2, World.Block, World.Block);
        world.Complete(file.FlushAsync().AsTask());
        world.Read(file, 0, 2 * World.Block);
        world.Complete(file.ChangeRangeAsync(FileRangeChange.Collapse, 0, World.Block).AsTask());
        return world.Read(file, 0, 2 * World.Block) is { Length: World.Block } bytes && bytes.All(b => b == 2);
    });

    [Fact]
    public void Rule_2_15_options_are_taken_once() => World.Matters(Rule.OptionsSnapshotOnce, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        file.Options = IoOptions.Direct | IoOptions.DataSync;
        Task<int> write = file.WriteAsync(World.Filled(World.Block, 2).Memory, 0).AsTask();
        file.Options = IoOptions.None;
        bool isWritten = world.Complete(write) == World.Block;
        return isWritten && world.Device.Count(DeviceOperation.Write) == 1 && IsLast(world, DeviceOperation.Flush) && !file.Inode.Pages!.IsDirty;
    });

    [Fact]
    public void Rule_2_17_only_what_has_landed_is_converted() => World.Matters(Rule.OnlyLandedIsConverted, world =>
    {
        OpenFile file = world.Create();
        world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed, bytes: World.Block);
        return world.Write(file, 1, 0, 4 * World.Block) == World.Block
            && world.Read(file, 0, World.Block, IoOptions.Direct).All(b => b == 1)
            && world.Read(file, World.Block, 3 * World.Block, IoOptions.Direct).All(b => b == 0);
    });

    [Fact]
    public void Rule_2_19_a_page_that_could_not_be_written_back_stays_dirty() => World.Matters(Rule.FailedWritebackStaysDirty, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.WriteBuffered(file, 2, 0, World.Block);
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        IoFault first = world.FaultOf(file.FlushAsync().AsTask());
        world.Complete(file.FlushAsync().AsTask());
        world.Complete(file.Inode.Pages!.InvalidateAsync(0, World.Block).AsTask());
        return first == IoFault.DeviceFailed && world.Read(file, 0, World.Block).All(b => b == 2);
    });

    [Theory]
    [InlineData(MemoryFileKind.Extents)]
    [InlineData(MemoryFileKind.BlockMapped)]
    public void Rule_2_20_an_error_of_the_sync_wins_over_the_count(object kind) => World.Matters(Rule.SyncErrorWins, world =>
    {
        OpenFile file = world.Create((MemoryFileKind)kind);
        world.Complete(file.SetLengthAsync(2 * World.Block).AsTask());
        world.Device.FailNext(DeviceOperation.Flush, IoFault.DeviceFailed);
        return world.FaultOf(world.StartWrite(file, 2, 0, World.Block, IoOptions.Direct | IoOptions.DataSync)) == IoFault.DeviceFailed;
    });

    [Fact]
    public void Rules_1_19_and_2_22_what_is_misaligned_is_not_written_and_fails_before_any_lock() =>
        World.Matters(Rule.AlignmentCheckedFirst, world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            int before = world.Acquisitions;
            AlignedBuffer buffer = World.Filled(World.Block, 2);
            IoFault[] faults =
            [
                world.FaultOf(file.WriteAsync(buffer.Memory.Slice(1, 512), 0, IoOptions.Direct).AsTask()),
                world.FaultOf(file.WriteAsync(buffer.Memory[..512], 1, IoOptions.Direct).AsTask()),
                world.FaultOf(file.WriteAsync(buffer.Memory[..511], 0, IoOptions.Direct).AsTask()),
            ];
            return faults.All(f => f == IoFault.InvalidArgument) && world.Acquisitions == before && world.Device.Operations.Count == 0
                && world.Complete(file.WriteAsync(ReadOnlyMemory<byte>.Empty, 1, IoOptions.Direct).AsTask()) == 0;
        });

    /// <summary>A file of four blocks that lie apart on the device, in a mapping that is not in memory.</summary>
    private static OpenFile CreateInPieces(World world)
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        OpenFile other = world.CreateFilled(World.Block, 9);
        for (int i = 1; i < 4; i++)
        {
            world.Write(file, 1, i * World.Block, World.Block);
            world.Write(other, 9, i * World.Block, World.Block);
        }

        world.Device.ClearRecord();
        World.InodeOf(file).Blocks.NeedsWaiting = true;
        return file;
    }

    private static bool IsLast(World world, DeviceOperation operation) => world.Device.Operations[^1].Operation == operation;

    private static bool IsGate(LockEvent e) => e.Kind == LockEventKind.Acquired && e.Rank == LockRank.DirectIoGate;
}
