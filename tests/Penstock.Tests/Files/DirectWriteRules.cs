using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Each rule of the semantics that a direct write realises; the number in a name is the rule's.</summary>
public sealed class DirectWriteRules
{
    [Fact]
    public void Rule_1_2_a_direct_write_enters_the_gate() => World.Matters(Rule.DirectWriteEntersGate, TruncateWaitsForOverwrite);

    [Fact]
    public void Rule_1_5_truncate_waits_until_a_direct_write_has_completed() =>
        World.Matters(Rule.GateHeldUntilCompletion, TruncateWaitsForOverwrite);

    [Fact]
    public void Rule_1_4_an_overwrite_gives_the_inode_lock_up_at_submission() => World.Matters(Rule.InodeLockReleasedAtSubmission, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 2, 0, World.Block);
        world.Idle();
        bool isFree = !file.Inode.Lock.IsHeld && file.Inode.Gate.SharedCount == 1;
        world.Device.ReleaseAll();
        world.Complete(write);
        return isFree && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_6_the_end_of_io_runs_before_the_gate_is_left() => World.Matters(Rule.EndOfIoBeforeGate, world =>
    {
        OpenFile file = world.Create();
        MemoryInode inode = World.InodeOf(file);
        int gateCount = -1;
        inode.DuringEndOfIo = () =>
        {
            gateCount = inode.Gate.SharedCount;
            return ValueTask.CompletedTask;
        };
        world.Write(file, 1, 0, World.Block);
        return gateCount == 1 && inode.Gate.SharedCount == 0;
    });

    [Fact]
    public void Rule_1_11_a_direct_write_inside_the_size_of_a_block_mapped_file_allocates_nothing_itself() =>
        World.Matters(Rule.OverwriteOnlyInsideSize, world =>
        {
            OpenFile file = world.Create(MemoryFileKind.BlockMapped);
            world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
            world.Hold(DeviceOperation.Write);
            Task<int> write = world.StartWrite(file, 2, World.Block, World.Block);
            world.Idle();

            // While the data is on its way a block that is mapped already would show what the device holds there.
            AlignedBuffer buffer = World.Filled(World.Block, 0xEE);
            Task<int> reading = world.StartRead(file, buffer.Memory, World.Block, IoOptions.None);
            world.Idle();
            world.Device.ReleaseAll();
            int written = world.Complete(write);
            world.Complete(reading);
            return written == World.Block && buffer.GetSpan().ToArray().All(b => b is 0 or 2);
        });

    [Fact]
    public void Rule_1_12_a_direct_write_to_a_hole_of_a_block_mapped_file_returns_its_byte_count() =>
        World.Matters(Rule.HoleFallsBack, world =>
        {
            OpenFile file = world.Create(MemoryFileKind.BlockMapped);
            world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
            return world.Write(file, 2, World.Block, 2 * World.Block) == 2 * World.Block
                && world.Read(file, World.Block, 2 * World.Block).All(b => b == 2) && world.IsBalanced(file);
        });

    [Fact]
    public void Rule_1_13_after_a_fallback_the_data_is_on_the_device_at_return() => World.Matters(Rule.FallbackWritesBack, world =>
    {
        OpenFile file = world.Create(MemoryFileKind.BlockMapped);
        world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
        world.Device.ClearRecord();
        world.Write(file, 2, World.Block, World.Block);
        return world.Device.Count(DeviceOperation.Write) > 0;
    });

    [Fact]
    public void Rule_1_16_dirty_pages_are_written_back_first() => World.Matters(Rule.DirectWriteFlushes, world =>
    {
        // Without the write-back the dirty page cannot be dropped, and the write silently goes the buffered way.
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.WriteBuffered(file, 2, 0, World.Block);
        world.Write(file, 3, 0, World.Block);
        bool isDirect = world.Device.Count(DeviceOperation.Write) == 2;
        return isDirect && world.Read(file, 0, World.Block, IoOptions.Direct).All(b => b == 3) && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_16_when_write_back_fails_no_direct_write_is_issued() => World.Matters(Rule.FailedFlushStopsDirectIo, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.WriteBuffered(file, 2, 0, World.Block);
        world.Device.ClearRecord();
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        return world.FaultOf(world.StartWrite(file, 3, 0, World.Block)) == IoFault.DeviceFailed
            && world.Device.Count(DeviceOperation.Write) == 1 && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_1_18_the_cached_page_is_gone_after_a_direct_write() => World.Matter(
        world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            world.Read(file, 0, World.Block);
            world.Write(file, 2, 0, World.Block);
            return world.Read(file, 0, World.Block).All(b => b == 2);
        },
        Rule.InvalidateBeforeWrite,
        Rule.InvalidateAfterWrite);

    [Fact]
    public void Rule_2_6_cached_pages_go_before_the_write() => World.Matters(Rule.InvalidateBeforeWrite, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Read(file, 0, World.Block);
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 2, 0, World.Block);
        world.Idle();
        bool isGone = file.Inode.Pages!.IsEmpty;
        world.Device.ReleaseAll();
        world.Complete(write);
        return isGone;
    });

    [Fact]
    public void Rule_2_6_a_page_refilled_with_old_data_during_the_write_is_invalidated_again() =>
        World.Matters(Rule.InvalidateAfterWrite, world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            world.Hold(DeviceOperation.Write);
            Task<int> write = world.StartWrite(file, 2, 0, World.Block);
            world.Idle();
            world.Read(file, 0, World.Block);
            world.Device.ReleaseAll();
            world.Complete(write);
            return world.Read(file, 0, World.Block).All(b => b == 2);
        });

    [Fact]
    public void Invariant_3_3_a_buffered_write_to_the_same_page_never_undoes_a_direct_write_in_flight() =>
        World.Matters(Rule.BufferedWriteWaitsForDirectIo, world =>
        {
            OpenFile file = world.CreateFilled(World.Block, 1);
            world.Hold(DeviceOperation.Write);
            Task<int> direct = world.StartWrite(file, 2, 0, 512);
            world.Idle();
            Task<int> buffered = world.StartWrite(file, 3, 2048, 512, IoOptions.None);
            world.Idle();
            world.Device.ReleaseAll();
            world.Complete(direct);
            world.Complete(buffered);
            world.FaultOf(file.FlushAsync().AsTask());
            byte[] bytes = world.Read(file, 0, World.Block, IoOptions.Direct);
            return bytes[..512].All(b => b == 2) && bytes[2048..2560].All(b => b == 3);
        });

    [Fact]
    public void Rule_2_1_appends_never_overlap() => World.Matters(Rule.AppendTakesEndUnderLock, world =>
    {
        OpenFile file = world.Create();
        world.Hold(DeviceOperation.Write);
        Task<int> first = world.StartWrite(file, 1, 0, World.Block, IoOptions.Direct | IoOptions.Append);
        Task<int> second = world.StartWrite(file, 2, 0, World.Block, IoOptions.Direct | IoOptions.Append);
        world.Idle();
        world.Device.ReleaseAll();
        world.Complete(first);
        world.Complete(second);
        return file.Length == 2 * World.Block && world.Read(file, 0, 2 * World.Block).Distinct().Count() == 2 && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_2_1_an_extending_write_keeps_the_inode_lock_until_the_size_is_updated() => World.Matters(Rule.ExtendingWriteHoldsLock, world =>
    {
        // The blocks are there already, so nothing but the size asks for the lock.
        OpenFile file = world.Create();
        world.Complete(AllocateUnwritten(world, file));
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 1, 0, World.Block);
        world.Idle();
        bool isHeld = file.Inode.Lock.IsHeldExclusively && file.Length == 0;
        world.Device.ReleaseAll();
        return world.Complete(write) == World.Block && isHeld && file.Length == World.Block && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_2_1_whether_a_write_is_an_overwrite_is_looked_at_under_the_lock() =>
        World.Matters(Rule.OverwriteCheckedUnderLock, TwoPartsOfAnUnwrittenBlock);

    [Fact]
    public void Rule_2_3_the_block_that_holds_the_last_byte_is_inside() => World.Matters(Rule.PartialLastBlockIsInside, world =>
    {
        // A hole that holds the end of the file: were a block made there directly, a reader would see what the device holds in it.
        OpenFile file = world.Create(MemoryFileKind.BlockMapped);
        world.Complete(file.SetLengthAsync(World.Block + 512).AsTask());
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 2, World.Block, World.Block);
        world.Idle();
        AlignedBuffer buffer = World.Filled(512, 0xEE);
        Task<int> read = world.StartRead(file, buffer.Memory, World.Block, IoOptions.None);
        world.Idle();
        world.Device.ReleaseAll();
        world.Complete(read);
        return world.Complete(write) == World.Block && buffer.GetSpan().ToArray().All(b => b is 0 or 2);
    });

    [Fact]
    public void Rule_2_5_the_size_is_published_at_completion() => World.Matters(Rule.SizeAfterCompletion, world =>
    {
        OpenFile file = world.Create();
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 1, 0, World.Block);
        world.Idle();
        bool isHidden = file.Length == 0;
        world.Device.ReleaseAll();
        world.Complete(write);
        return isHidden && file.Length == World.Block;
    });

    [Theory]
    [InlineData(MemoryFileKind.Extents)]
    [InlineData(MemoryFileKind.BlockMapped)]
    public void Rule_2_10_heads_and_tails_of_new_blocks_are_zeroed(object kind) => World.Matters(Rule.HeadsAndTailsAreZeroed, world =>
    {
        OpenFile file = world.Create((MemoryFileKind)kind);
        world.Write(file, 1, 1024, 512);
        world.Complete(file.SetLengthAsync(World.Block).AsTask());
        byte[] bytes = world.Read(file, 0, World.Block);
        return !bytes.Contains(MemoryFileSystem.Poison) && bytes.Count(b => b == 1) == 512;
    });

    [Fact]
    public void Rule_2_10_two_unaligned_writes_to_one_new_block_keep_both() =>
        World.Matters(Rule.UnalignedWriteIsExclusive, TwoPartsOfAnUnwrittenBlock);

    [Fact]
    public void Rule_2_11_the_gap_between_the_old_end_and_the_write_reads_as_zeros() => World.Matters(Rule.GapIsZeroed, world =>
    {
        // The device holds old bytes behind the end of the file, in its last block.
        OpenFile file = world.CreateFilled(World.Block, 9);
        MemoryInode inode = World.InodeOf(file);
        inode.Size = 100;
        inode.StoredSize = 100;
        world.Write(file, 1, World.Block, World.Block);
        byte[] bytes = world.Read(file, 0, World.Block, IoOptions.Direct);
        return bytes[..100].All(b => b == 9) && bytes[100..].All(b => b == 0);
    });

    [Fact]
    public void A_direct_write_inside_a_size_that_waits_for_its_writeback_stores_the_size_that_its_blocks_need()
    {
        var world = new World();
        OpenFile file = world.Create();
        world.WriteBuffered(file, 1, 40 * World.Block, World.Block);
        Assert.Equal(0, file.Inode.StoredSize);
        world.Write(file, 2, 20 * World.Block, World.Block);
        Assert.Equal(21 * World.Block, file.Inode.StoredSize);
    }

    [Fact]
    public void Rule_2_4_appends_that_go_on_buffered_do_not_overlap() => World.Matters(Rule.FallbackFindsEndAnew, world =>
    {
        OpenFile file = world.Create();
        file.Inode.Change(static (ref InodeAttributes attributes) => attributes.Flags |= FileFlags.DataJournalled);
        const IoOptions Options = IoOptions.Direct | IoOptions.Append;

        // Both wait for somebody else, so that the second has the lock before the first goes on.
        Assert.True(file.Inode.Lock.TryAcquireExclusive());
        Task<int> first = world.StartWrite(file, 1, 0, World.Block, Options);
        Task<int> second = world.StartWrite(file, 2, 0, World.Block, Options);
        file.Inode.Lock.ReleaseExclusiveByCompletion();
        world.Complete(first);
        world.Complete(second);
        return file.Length == 2 * World.Block && world.Read(file, 0, 2 * World.Block).Order().SequenceEqual(
            Enumerable.Repeat((byte)1, World.Block).Concat(Enumerable.Repeat((byte)2, World.Block))) && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_2_12_a_failed_extending_write_is_cut_back() => World.Matters(Rule.FailedExtensionIsCutBack, world =>
    {
        OpenFile file = world.Create();
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        IoFault fault = world.FaultOf(world.StartWrite(file, 1, 0, 4 * World.Block));
        MemoryInode inode = World.InodeOf(file);
        return fault == IoFault.DeviceFailed && file.Length == 0 && inode.Blocks.BlockCount == 0 && !inode.IsOrphan
            && inode.OrphanNotes == 1 && world.IsBalanced(file);
    });

    [Fact]
    public void Rule_2_18_a_write_whose_end_finds_no_room_waits_for_its_parts_and_fails_whole()
    {
        var world = new World();
        OpenFile file = world.Create();
        world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
        world.Volume.MemoryJournal.RefusesReservations = true;
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 1, World.Block, World.Block);
        world.Idle();
        Assert.Equal(1, world.Device.InFlight);
        Assert.False(write.IsCompleted, "The device still owns the buffer.");
        world.Device.ReleaseAll();
        Assert.Equal(IoFault.ReadOnly, world.FaultOf(write));
        Assert.All(world.Read(file, World.Block, World.Block), b => Assert.Equal(0, b));
        Assert.True(world.IsBalanced(file), world.Describe(file));
    }

    [Fact]
    public void Rule_2_18_the_completion_of_a_direct_write_needs_no_inode_lock() => World.Matters(Rule.CompletionNeedsNoLock, TruncateWaitsForOverwrite);

    [Fact]
    public void Rule_2_14_a_synchronous_write_syncs_after_its_data_has_landed() => World.Matters(Rule.SyncAfterCompletion, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1);
        world.Write(file, 2, 0, World.Block, IoOptions.Direct | IoOptions.DataSync);
        SimulatedDevice after = world.Device.AfterPowerLoss(world.Scheduler);
        SimulatedOperation write = world.Device.Operations.First(o => o.Operation == DeviceOperation.Write);
        return after.Peek(write.Offset, World.Block).All(b => b == 2);
    });

    [Fact]
    public void Rule_2_17_a_hole_is_unwritten_until_its_data_has_landed() => World.Matters(Rule.HoleAllocatedUnwritten, world =>
    {
        OpenFile file = world.Create();
        world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
        world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        world.FaultOf(world.StartWrite(file, 1, World.Block, World.Block));
        return world.Read(file, World.Block, World.Block, IoOptions.Direct).All(b => b == 0);
    });

    [Fact]
    public void Rule_2_21_a_direct_write_clears_setuid_and_moves_the_times() => World.Matters(Rule.WriteClearsPrivileges, world =>
    {
        OpenFile file = world.Volume.Create(mode: 0x8000 | 0x800 | 0x400 | 0x1ED);
        world.Write(file, 1, 0, World.Block);
        return (file.Inode.Attributes.Mode & 0xC00) == 0;
    });

    [Fact]
    public void Rule_2_4_a_request_that_meets_a_hole_later_counts_both_parts_once() => World.Matters(Rule.FallbackGoesOn, world =>
    {
        OpenFile file = world.CreateFilled(World.Block, 1, MemoryFileKind.BlockMapped);
        world.Complete(file.SetLengthAsync(4 * World.Block).AsTask());
        return world.Write(file, 2, 0, 3 * World.Block) == 3 * World.Block
            && world.Read(file, 0, 3 * World.Block).All(b => b == 2)
            && world.Read(file, 0, 3 * World.Block, IoOptions.Direct).All(b => b == 2) && world.IsBalanced(file);
    });

    [Fact]
    public void Rules_1_7_and_1_20_locks_balance_after_every_fault_at_every_step()
    {
        foreach (MemoryFileKind kind in new[] { MemoryFileKind.Extents, MemoryFileKind.BlockMapped })
        {
            foreach (string step in new[] { "map", "allocate", "convert", "device", "full" })
            {
                var world = new World();
                OpenFile file = world.CreateFilled(World.Block, 1, kind);
                MemoryInode inode = World.InodeOf(file);
                if (step == "device")
                {
                    world.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
                }
                else
                {
                    inode.Blocks.NeedsWaiting = step == "map";
                    inode.Blocks.FaultRule = what => what == step ? IoFault.Corrupt : step == "full" && what == "allocate" ? IoFault.NoSpace : IoFault.None;
                }

                Task<int> write = world.StartWrite(file, 2, 0, 4 * World.Block);
                world.FaultOf(write);
                Assert.True(world.IsBalanced(file), $"{kind}, {step}: {string.Join("; ", world.Recorder.Violations)}");
                Assert.False(inode.IsOrphan);
                inode.Blocks.FaultRule = null;
                Assert.DoesNotContain(MemoryFileSystem.Poison, world.Read(file, 0, 4 * World.Block, step == "map" ? IoOptions.None : IoOptions.Direct));
            }
        }
    }

    [Fact]
    public void Rule_1_15_each_request_completes_once_in_whatever_order_the_device_answers()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var world = new World(seed: seed);
            OpenFile file = world.CreateFilled(64 * World.Block, 0);
            Task<int>[] writes = [.. Enumerable.Range(0, 64).Select(i => world.StartWrite(file, (byte)(i + 1), i * World.Block, World.Block))];
            foreach (Task<int> write in writes)
            {
                Assert.Equal(World.Block, world.Complete(write));
            }

            byte[] bytes = world.Read(file, 0, 64 * World.Block, IoOptions.Direct);
            Assert.All(Enumerable.Range(0, 64), i => Assert.Equal(i + 1, bytes[i * World.Block]));
            Assert.True(world.IsBalanced(file));
        }
    }

    private static async Task AllocateUnwritten(World world, OpenFile file)
    {
        Penstock.Journal.Handle handle = await world.Volume.Journal.BeginAsync(1);
        await file.Inode.Mapper!.AllocateAsync(handle, new FileBlock(0), 1, MapState.Unwritten, fromReservation: false);
        handle.Stop();
    }

    private static bool TruncateWaitsForOverwrite(World world)
    {
        OpenFile file = world.CreateFilled(2 * World.Block, 1);
        world.Hold(DeviceOperation.Write);
        Task<int> write = world.StartWrite(file, 2, 0, 2 * World.Block);
        world.Idle();
        Task truncate = file.SetLengthAsync(0).AsTask();
        world.Idle();
        bool hasWaited = !truncate.IsCompleted && World.InodeOf(file).Blocks.BlockCount == 2;
        world.Device.ReleaseAll();
        world.Complete(write);
        world.Complete(truncate);
        return hasWaited && world.IsBalanced(file);
    }

    private static bool TwoPartsOfAnUnwrittenBlock(World world)
    {
        OpenFile file = world.Create();
        world.Complete(file.SetLengthAsync(World.Block).AsTask());
        world.Complete(AllocateUnwritten(world, file));
        world.Hold(DeviceOperation.Write);
        Task<int> first = world.StartWrite(file, 1, 0, 512);
        Task<int> second = world.StartWrite(file, 2, 512, 512);
        world.Idle();
        foreach (SimulatedOperation operation in world.Device.Held.Reverse())
        {
            world.Device.Release(operation);
        }

        world.Idle();
        world.Device.ReleaseAll();
        world.Complete(first);
        world.Complete(second);
        byte[] bytes = world.Read(file, 0, 1024);
        return bytes[..512].All(b => b == 1) && bytes[512..].All(b => b == 2);
    }
}
