using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Allocation;

public sealed class BlockAllocatorTests
{
    [Fact]
    public void Freed_blocks_are_not_handed_out_before_the_change_that_freed_them_is_on_the_device() =>
        Run(new EmptyVolume { Blocks = 1024 }, async volume =>
        {
            HashSet<ulong> all = await FillAsync(volume);
            await FreeAsync(volume, 500, 4);
            Assert.Equal(4UL, volume.Volume.Space.PendingClusters);
            FileSystemException full = await Assert.ThrowsAsync<FileSystemException>(() => TakeAsync(volume, 1));
            Assert.Equal(IoFault.NoSpace, full.Fault);
            Assert.Equal(IoFault.NoSpace, new MapperFixture(volume).AddFile().Mapper.TryReserve(1));

            Assert.True(await volume.Volume.TryMakeRoomAsync());
            Assert.False(await volume.Volume.TryMakeRoomAsync());
            Assert.Equal(new BlockSpan(new VolumeBlock(500), 4), await TakeAsync(volume, 9));
            Assert.Contains(500UL, all);
        });

    [Fact]
    public void Without_the_rule_freed_blocks_are_handed_out_at_once() => Run(new EmptyVolume { Blocks = 1024 }, async volume =>
    {
        volume.Scheduler.BrokenRule = Rule.FreedBlocksWaitForCommit;
        await FillAsync(volume);
        await FreeAsync(volume, 500, 4);
        Assert.Equal(4UL, (await TakeAsync(volume, 9)).Count);
    });

    [Fact]
    public void Freed_blocks_are_discarded_after_the_commit_and_before_they_are_handed_out_again() =>
        Run(new EmptyVolume { Blocks = 1024, Discards = true }, async volume =>
        {
            await FillAsync(volume);
            await FreeAsync(volume, 500, 4);
            Assert.Equal(0, volume.Device.Count(DeviceOperation.Discard));
            volume.Device.HoldRule = operation => operation.Operation == DeviceOperation.Discard;
            await volume.CommitAsync();
            volume.Scheduler.RunUntilIdle();
            SimulatedOperation discard = Assert.Single(volume.Device.Held);
            Assert.Equal((500L * 1024, 4096L), (discard.Offset, discard.Length));
            await Assert.ThrowsAsync<FileSystemException>(() => TakeAsync(volume, 1));
            volume.Device.ReleaseAll();
            volume.Scheduler.RunUntilIdle();
            Assert.Equal(500UL, (await TakeAsync(volume, 1)).First.Value);
        });

    [Fact]
    public void What_was_promised_can_always_be_had() => Run(new EmptyVolume { Blocks = 3000, BlocksPerGroup = 512 }, async volume =>
    {
        var fixture = new MapperFixture(volume);
        TestFile promised = fixture.AddFile();
        TestFile other = fixture.AddFile();
        await other.AllocateAsync(0, 1, MapState.Mapped);
        ulong count = 0;
        while (promised.Mapper.TryReserve(1) == IoFault.None)
        {
            count++;
        }

        // The other file gets what was not promised, then nothing more; the promise holds, in the most wasteful order.
        Assert.InRange(count, 2000UL, 3000UL);
        await other.AllocateAsync(0, 3000, MapState.Mapped);
        Assert.False(await other.AllocateAsync(5000, 1, MapState.Mapped));
        var random = new Random(1);
        ulong[] places = [.. Enumerable.Range(0, (int)count).Select(i => (ulong)i * 2)];
        random.Shuffle(places);
        foreach (ulong place in places)
        {
            BlockRun run = await volume.ChangeAsync(
                promised.Mapper.CreditsToAllocate(1),
                handle => promised.Mapper.AllocateAsync(handle, new FileBlock(place), 1, MapState.Mapped, fromReservation: true));
            promised.Model.Add(run);
        }

        await fixture.CheckAsync();
    });

    [Fact]
    public void The_reserve_of_root_is_for_root() => Run(new EmptyVolume { Blocks = 1024, ReservedBlocks = 100 }, async volume =>
    {
        ulong available = volume.Volume.Space.AvailableBlocks;
        const ulong Pool = 1025 / 50;
        Assert.Equal(volume.Volume.Space.FreeBlocks - 100 - Pool, available);
        await FillAsync(volume);
        Assert.Equal(100UL + Pool, volume.Volume.Space.FreeBlocks);
        volume.Volume.Space.MayUseRootReserve = true;
        ulong taken = 0;
        while (volume.Volume.Space.FreeBlocks > Pool)
        {
            taken += (await TakeAsync(volume, 100)).Count;
        }

        Assert.Equal(100UL, taken);
    });

    [Fact]
    public void Files_that_grow_side_by_side_stay_contiguous() => Run(new EmptyVolume { Blocks = 16 * 1024, BlocksPerGroup = 8192 }, async volume =>
    {
        var fixture = new MapperFixture(volume);
        TestFile[] files = [fixture.AddFile(), fixture.AddFile(), fixture.AddFile(hasExtents: false)];
        for (ulong block = 0; block < 1500; block++)
        {
            foreach (TestFile file in files)
            {
                Assert.True(await file.AllocateAsync(block, 1, MapState.Mapped));
            }
        }

        await fixture.CheckAsync();
        Assert.All(files, file => Assert.InRange(CountRuns(file), 1, 12));
    });

    [Fact]
    public void Small_files_of_a_directory_lie_one_behind_the_other() => Run(new EmptyVolume(), async volume =>
    {
        var fixture = new MapperFixture(volume);
        for (int i = 0; i < 20; i++)
        {
            await fixture.AddFile().AllocateAsync(0, 3, MapState.Mapped, isReserved: true);
        }

        ulong[] starts = [.. fixture.Files.Select(f => f.Model[0].Volume)];
        Assert.All(starts.Zip(starts.Skip(1)), pair => Assert.Equal(pair.First + 3, pair.Second));
        Assert.All(fixture.Files, file => Assert.Equal(1, CountRuns(file)));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Files_that_nobody_writes_any_more_need_no_room_to_grow(bool hasWriters) => Run(new EmptyVolume { Blocks = 16 * 1024, BlocksPerGroup = 8192 }, async volume =>
    {
        const ulong Length = 150;
        var fixture = new MapperFixture(volume);
        for (int i = 0; i < 10; i++)
        {
            TestFile file = fixture.AddFile();
            file.Owner.HasWriters = hasWriters;
            file.Owner.Size = (long)Length * file.Mapper.BlockSize;
            await file.AllocateAsync(0, Length, MapState.Mapped, isReserved: true);
        }

        ulong[] starts = [.. fixture.Files.Select(f => f.Model[0].Volume).Order()];
        Assert.Equal(!hasWriters, starts.Zip(starts.Skip(1)).All(pair => pair.First + Length == pair.Second));
        Assert.All(fixture.Files, file => Assert.Equal(1, CountRuns(file)));
    });

    [Fact]
    public void A_block_is_not_freed_twice() => Run(new EmptyVolume(), async volume =>
    {
        await TakeAsync(volume, 5);
        await volume.CommitAsync();
        int writes = volume.Device.Operations.Count(o => o.IsWrite);
        CorruptVolumeException twice = await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 1500, 2));
        Assert.Equal("block bitmap", twice.Structure);
        Assert.True(volume.Volume.IsDamaged);
        await volume.CommitAsync();

        // Nothing but the superblock was written, and the group is not used any more.
        Assert.InRange(volume.Device.Operations.Count(o => o.IsWrite), writes, writes + 1);
        await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 1400, 1));
        Assert.NotEqual(1u, volume.Geometry.GroupOf((await TakeAsync(volume, 5, goal: 1500)).First).Value);
    });

    [Fact]
    public void The_volumes_own_blocks_are_never_freed() => Run(new EmptyVolume { LogGroupsPerFlex = 2 }, async volume =>
    {
        foreach (Func<Group, VolumeBlock> place in new Func<Group, VolumeBlock>[] { g => g.BlockBitmap, g => g.InodeBitmap, g => g.InodeTable + 3 })
        {
            Group group = await volume.Volume.Groups.GetAsync(new BlockGroup(6));
            await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, place(group).Value, 1));
        }

        await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 1, 1));
        await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, volume.Geometry.BlockCount - 1, 2));
        await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 0, 1));
    });

    [Fact]
    public void A_group_whose_bitmap_is_damaged_is_left_alone() => Run(new EmptyVolume { Blocks = 3 * 1024 }, async volume =>
    {
        Group bad = await volume.Volume.Groups.GetAsync(new BlockGroup(1));
        byte[] bitmap = volume.Device.Peek((long)bad.BlockBitmap.Value * 1024, 1024);
        bitmap[100] ^= 1;
        volume.Device.Poke((long)bad.BlockBitmap.Value * 1024, bitmap);
        HashSet<ulong> all = await FillAsync(volume);
        Assert.DoesNotContain(all, b => volume.Geometry.GroupOf(new VolumeBlock(b)).Value == 1);
        Assert.Contains(all, b => volume.Geometry.GroupOf(new VolumeBlock(b)).Value == 2);
        Assert.NotNull(bad.Damage);
        Assert.Equal("bg_block_bitmap_csum", bad.Damage.Field);
    });

    [Fact]
    public void A_bitmap_that_the_descriptor_contradicts_is_damaged_without_checksums_too() =>
        Run(new EmptyVolume { Blocks = 2 * 1024, HasChecksums = false }, async volume =>
        {
            Group bad = await volume.Volume.Groups.GetAsync(new BlockGroup(0));
            byte[] bitmap = volume.Device.Peek((long)bad.BlockBitmap.Value * 1024, 1024);
            bitmap[0] = 0;
            volume.Device.Poke((long)bad.BlockBitmap.Value * 1024, bitmap);
            HashSet<ulong> all = await FillAsync(volume);
            Assert.DoesNotContain(all, b => volume.Geometry.GroupOf(new VolumeBlock(b)).Value == 0);
            Assert.Equal("free bits", bad.Damage!.Field);
        });

    [Fact]
    public void A_bitmap_that_cannot_be_read_does_not_keep_files_from_other_groups() => Run(new EmptyVolume { Blocks = 2 * 1024 }, async volume =>
    {
        Group bad = await volume.Volume.Groups.GetAsync(new BlockGroup(0));
        long offset = (long)bad.BlockBitmap.Value * 1024;
        volume.Device.FaultRule = o => o.Operation == DeviceOperation.Read && o.Overlaps(offset, 1) ? IoResult.Failed(IoFault.DeviceFailed) : null;
        Assert.Equal(1u, volume.Geometry.GroupOf((await TakeAsync(volume, 5)).First).Value);
    });

    [Fact]
    public void Trim_discards_what_is_free_and_nothing_else() => Run(new EmptyVolume { Blocks = 2 * 1024 }, async volume =>
    {
        BlockSpan taken = await TakeAsync(volume, 100, goal: 300);
        await FreeAsync(volume, taken.First.Value, 10);
        ulong free = volume.Volume.Space.FreeBlocks;
        ulong trimmed = await volume.Volume.Blocks.TrimAsync(default, ulong.MaxValue, 8);
        Assert.Equal(free - 10, trimmed);
        Assert.Equal((long)trimmed * 1024, volume.Device.Operations.Where(o => o.Operation == DeviceOperation.Discard).Sum(o => o.Length));
        Assert.DoesNotContain(
            volume.Device.Operations,
            o => o.Operation == DeviceOperation.Discard && o.Overlaps((long)taken.First.Value * 1024, (long)taken.Count * 1024));
        Assert.Equal(free, volume.Volume.Space.FreeBlocks);
        Assert.Equal(0UL, await volume.Volume.Blocks.TrimAsync(taken.First, 100, 1));
    });

    [Fact]
    public void Opening_a_volume_of_15_TiB_reads_one_block_of_descriptors()
    {
        var scheduler = new Penstock.Testing.Execution.ManualScheduler();
        var device = new SimulatedDevice(scheduler, 15L << 40);
        Superblock superblock = new EmptyVolume { BlockSize = 4096, BlocksPerGroup = 32768, Blocks = (15UL << 40) / 4096 }.MakeSuperblock();
        scheduler.Run(async () =>
        {
            var volume = new TestVolume(device, superblock);
            await volume.Volume.Groups.FindAsync(new BlockGroup(100_000));
            Assert.Single(device.Operations);
        });
    }

    private static void Run(EmptyVolume shape, Func<TestVolume, Task> body)
    {
        var volume = new TestVolume(shape);
        volume.Scheduler.Run(() => body(volume));
    }

    private static int CountRuns(TestFile file)
    {
        int runs = 0;
        for (ulong block = 0; block < file.Model.End; block++)
        {
            runs += block == 0 || file.Model[block].Volume != file.Model[block - 1].Volume + 1 ? 1 : 0;
        }

        return runs;
    }

    private static async Task<HashSet<ulong>> FillAsync(TestVolume volume)
    {
        var taken = new HashSet<ulong>();
        try
        {
            while (true)
            {
                BlockSpan span = await TakeAsync(volume, 50);
                for (ulong i = 0; i < span.Count; i++)
                {
                    Assert.True(taken.Add(span.First.Value + i));
                }
            }
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace)
        {
            return taken;
        }
    }

    private static Task<BlockSpan> TakeAsync(TestVolume volume, ulong clusters, ulong goal = 0) => volume.ChangeAsync(
        BlockAllocator.CreditsPerGroup,
        handle => volume.Volume.Blocks.AllocateAsync(handle, new AllocationRequest { Goal = new VolumeBlock(goal), Clusters = clusters }));

    private static Task FreeAsync(TestVolume volume, ulong first, ulong count) => volume.ChangeAsync(
        volume.Volume.Blocks.CreditsToFree(count), handle => volume.Volume.Blocks.FreeAsync(handle, new VolumeBlock(first), count));
}
