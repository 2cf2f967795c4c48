using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Each rule of the semantics that a direct read realises; the number in a name is the rule's.</summary>
public sealed class DirectReadRules
{
    [Fact]
    public void Rule_1_3_a_dirty_page_is_seen_by_a_direct_read() => World.Matters(Rule.DirectReadFlushes, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.WriteBuffered(file, 2, 0, World.Block);
        return world.Read(file, 0, World.Block, IoOptions.Direct).All(b => b == 2);
    });

    [Fact]
    public void Rule_1_4_the_inode_lock_is_free_while_the_device_is_stalled() => World.Matters(Rule.InodeLockReleasedAtSubmission, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Hold(DeviceOperation.Read);
        Task<int> read = world.StartRead(file, World.Filled(World.Block, 0).Memory, 0);
        world.Idle();
        bool isFree = !file.Inode.Lock.IsHeld;
        world.Device.ReleaseAll();
        world.Complete(read);
        return isFree && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_5_truncate_waits_until_a_direct_read_has_completed() => World.Matters(Rule.GateHeldUntilCompletion, TruncateWaitsForRead);

    [Fact]
    public void Rule_1_3_a_direct_read_enters_the_gate() => World.Matters(Rule.DirectReadEntersGate, TruncateWaitsForRead);

    [Fact]
    public void Rule_1_21_truncate_drains_the_gate() => World.Matters(Rule.TruncateDrainsGate, TruncateWaitsForRead);

    [Fact]
    public void Rule_1_18_a_direct_read_never_drops_a_cached_page() => World.Matters(Rule.DirectReadKeepsPages, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Read(file, 0, World.Block);
        world.Read(file, 0, World.Block, IoOptions.Direct);
        world.Device.ClearRecord();
        world.Read(file, 0, World.Block);
        return world.Device.Count(DeviceOperation.Read) == 0;
    });

    [Fact]
    public void Rule_1_24_holes_and_unwritten_blocks_read_as_zeros_whatever_the_device_holds() =>
        World.Matters(Rule.UnwrittenReadsAsZeros, world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            world.Complete(file.ChangeRangeAsync(FileRangeChange.Allocate, World.Block, World.Block).AsTask());
            world.Complete(file.SetLengthAsync(3 * World.Block).AsTask());
            byte[] bytes = world.Read(file, 0, 3 * World.Block, IoOptions.Direct);
            return bytes.Length == 3 * World.Block && bytes[..World.Block].All(b => b == 1) && bytes[World.Block..].All(b => b == 0);
        });

    [Fact]
    public void Rule_2_13_the_partial_last_block_is_clamped_and_its_rest_never_shows() => World.Matters(Rule.ReadEndsAtSize, world =>
    {
        OpenFile file = world.CreateFilled(5000, 1);
        AlignedBuffer buffer = World.Filled(2 * World.Block, 0xEE);
        return world.Complete(world.StartRead(file, buffer.Memory, 0)) == 5000
            && !buffer.GetSpan().ToArray().Contains(MemoryFileSystem.Poison)
            && world.Complete(world.StartRead(file, buffer.Memory, 2 * World.Block)) == 0
            && world.Complete(world.StartRead(file, buffer.Memory[..512], 5120)) == 0;
    });

    [Fact]
    public void Rule_2_13_the_size_is_sampled_before_the_read() => World.Matters(Rule.SizeSampledBefore, world =>
    {
        OpenFile file = world.CreateFilled(5000, 1);
        world.Hold(DeviceOperation.Read);
        Task<int> read = world.StartRead(file, World.Filled(2 * World.Block, 0xEE).Memory, 0);
        world.Idle();
        World.InodeOf(file).Size = 2 * World.Block;
        world.Device.ReleaseAll();
        return world.Complete(read) == 5000;
    });

    [Theory]
    [InlineData(1, 0, 512)]
    [InlineData(0, 1, 512)]
    [InlineData(0, 0, 511)]
    public void Rules_1_19_and_2_22_what_is_misaligned_is_not_read_and_fails_before_any_lock(int memory, int offset, int length) =>
        World.Matters(Rule.AlignmentCheckedFirst, world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            world.WriteBuffered(file, 2, 0, 100);
            world.Device.ClearRecord();
            int before = world.Acquisitions;
            AlignedBuffer buffer = World.Filled(World.Block, 0xEE);
            return world.FaultOf(world.StartRead(file, buffer.Memory.Slice(memory, length), offset)) == IoFault.InvalidArgument
                && world.Acquisitions == before && world.Device.Operations.Count == 0
                && buffer.GetSpan().ToArray().All(b => b == 0xEE)
                && world.Complete(world.StartRead(file, Memory<byte>.Empty, 1)) == 0;
        });

    [Fact]
    public void Rule_1_16_when_write_back_fails_no_direct_read_is_issued() => World.Matters(Rule.FailedFlushStopsDirectIo, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.WriteBuffered(file, 2, 0, World.Block);
        world.Device.ClearRecord();
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        return world.FaultOf(world.StartRead(file, World.Filled(World.Block, 0).Memory, 0)) == IoFault.DeviceFailed
            && world.Device.Count(DeviceOperation.Read) == 0 && world.IsBalanced(file);
    });

    [Fact]
    public void Rules_1_7_and_1_20_locks_balance_after_every_fault() => World.Matters(Rule.ErrorsReleaseLocks, world =>
    {
        foreach (string step in new[] { "device", "map", "write-back" })
        {
            OpenFile file = world.CreateFilled(4 * World.Block, 1);
            MemoryInode inode = World.InodeOf(file);
            if (step == "device")
            {
                world.Device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed);
            }
            else if (step == "map")
            {
                inode.Blocks.NeedsWaiting = true;
                inode.Blocks.FaultRule = _ => IoFault.Corrupt;
            }
            else
            {
                world.WriteBuffered(file, 2, 0, World.Block);
                world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
            }

            if (world.FaultOf(world.StartRead(file, World.Filled(4 * World.Block, 0).Memory, 0)) == IoFault.None || !world.IsBalanced(file))
            {
                return false;
            }

            inode.Blocks.FaultRule = null;
        }

        return true;
    });

    [Fact]
    public void Invariant_3_12_a_short_read_counts_exactly_what_was_transferred()
    {
        var world = new World();
        OpenFile file = world.CreateFilled(4 * World.Block, 1);
        world.Device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed, bytes: 2 * World.Block);
        AlignedBuffer buffer = World.Filled(4 * World.Block, 0xEE);
        Assert.Equal(2 * World.Block, world.Complete(world.StartRead(file, buffer.Memory, 0)));
        Assert.All(buffer.GetSpan()[..(2 * World.Block)].ToArray(), b => Assert.Equal(1, b));
    }

    [Fact]
    public void Rule_1_9_a_file_that_protects_itself_is_read_and_written_without_a_lock_or_the_gate() =>
        World.Matters(Rule.SelfProtectedTakesNoLock, world =>
        {
            OpenFile file = world.Create(MemoryFileKind.ProtectsItself);
            int before = world.Recorder.Trace.Count(IsInodeLockOrGate);
            return world.Write(file, 7, 0, World.Block) == World.Block
                && world.Read(file, 0, World.Block, IoOptions.Direct).All(b => b == 7)
                && world.Recorder.Trace.Count(IsInodeLockOrGate) == before
                && World.InodeOf(file).EndedWrites is [(0, World.Block)] && World.InodeOf(file).Blocks.Conversions.Count == 1;
        });

    [Fact]
    public void Rule_1_22_a_vectored_read_is_one_locked_episode() => World.Matters(Rule.VectoredIsOneEpisode, world =>
    {
        OpenFile file = world.CreateFilled(4 * World.Block, 1);
        int before = world.Recorder.Trace.Count(IsGate);
        Memory<byte>[] buffers = [World.Filled(512, 0).Memory, World.Filled(World.Block, 0).Memory, World.Filled(1024, 0).Memory];
        bool isWhole = world.Complete(file.ReadAsync(buffers, 512, IoOptions.Direct).AsTask()) == 512 + World.Block + 1024
            && buffers.All(b => b.ToArray().All(x => x == 1)) && world.Recorder.Trace.Count(IsGate) == before + 1;

        // Each segment is judged, before anything.
        Memory<byte>[] odd = [World.Filled(512, 0).Memory, World.Filled(100, 0).Memory, World.Filled(412, 0).Memory];
        return isWhole && world.FaultOf(file.ReadAsync(odd, 0, IoOptions.Direct).AsTask()) == IoFault.InvalidArgument;
    });

    private static bool IsGate(LockEvent e) => e.Kind == LockEventKind.Acquired && e.Rank == LockRank.DirectIoGate;

    private static bool IsInodeLockOrGate(LockEvent e) =>
        e.Kind == LockEventKind.Acquired && e.Rank is LockRank.Inode or LockRank.DirectIoGate;

    private static bool TruncateWaitsForRead(World world)
    {
        OpenFile file = world.CreateFilled(2 * World.Block, 1);
        world.Hold(DeviceOperation.Read);
        Task<int> read = world.StartRead(file, World.Filled(2 * World.Block, 0).Memory, 0);
        world.Idle();
        Task truncate = file.SetLengthAsync(0).AsTask();
        world.Idle();
        bool hasWaited = !truncate.IsCompleted && World.InodeOf(file).Blocks.BlockCount == 2;
        world.Device.ReleaseAll();
        world.Complete(read);
        world.Complete(truncate);
        return hasWaited && world.IsBalanced(file);
    }
}
