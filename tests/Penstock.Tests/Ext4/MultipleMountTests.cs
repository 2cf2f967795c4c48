using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Xunit;
using static Penstock.Tests.Ext4.NamesFixture;

namespace Penstock.Tests.Ext4;

/// <summary>Volumes with multiple-mount protection: two who open one device, as two hosts would.</summary>
public sealed class MultipleMountTests
{
    private static readonly TimeSpan s_twoIntervals = TimeSpan.FromSeconds(11);

    private readonly NamesFixture fixture = new();

    [Fact]
    public void Who_has_it_keeps_its_number_moving_and_the_next_is_refused() => Run(async () =>
    {
        Ext4FileSystem first = await fixture.OpenAsync();
        uint before = Read().Sequence;
        DeviceException refused = await Assert.ThrowsAsync<DeviceException>(async () => await fixture.OpenAsync());
        Assert.Equal(IoFault.Busy, refused.Fault);
        Assert.Contains(Environment.MachineName, refused.Message, StringComparison.Ordinal);
        Assert.NotEqual(before, Read().Sequence);
        await TouchAsync(first, "b");
        await first.DisposeAsync();
        Assert.True(Read().IsClean);
    });

    [Fact]
    public void Of_two_who_find_it_free_at_one_moment_one_is_left_after_an_interval() => Run(async () =>
    {
        fixture.Device.HoldRule = o => o.Operation == DeviceOperation.WriteThrough;
        Task<Ext4FileSystem>[] opening = [fixture.OpenAsync().AsTask(), fixture.OpenAsync().AsTask()];
        fixture.Scheduler.RunUntilIdle();
        Assert.Equal(2, fixture.Device.Held.Count);
        fixture.Device.ReleaseAll();
        Ext4FileSystem[] both = [await opening[0], await opening[1]];
        fixture.Scheduler.Advance(TimeSpan.FromSeconds(6));
        int refused = 0;
        foreach (Ext4FileSystem one in both)
        {
            try
            {
                await TouchAsync(one, "a");
            }
            catch (FileSystemException e) when (e.Fault is IoFault.Busy or IoFault.ReadOnly)
            {
                refused++;
            }
        }

        Assert.Equal(1, refused);
        foreach (Ext4FileSystem one in both)
        {
            await one.DisposeAsync();
        }
    });

    [Fact]
    public void One_that_was_left_behind_is_taken_over_after_two_intervals_and_two_more() => Run(async () =>
    {
        Write(Read() with { Sequence = 77, NodeName = "gone" });
        long start = fixture.Scheduler.MonotonicNanoseconds;
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.True(fixture.Scheduler.MonotonicNanoseconds - start >= 2 * s_twoIntervals.Ticks * 100);
        await TouchAsync(fileSystem, "a");
    });

    [Fact]
    public void Of_two_who_take_one_over_at_one_moment_one_opens_it() => Run(async () =>
    {
        Write(Read() with { Sequence = 77, NodeName = "gone" });
        Task<Ext4FileSystem>[] opening = [fixture.OpenAsync().AsTask(), fixture.OpenAsync().AsTask()];
        int refused = 0;
        foreach (Task<Ext4FileSystem> one in opening)
        {
            try
            {
                await (await one).DisposeAsync();
            }
            catch (DeviceException e) when (e.Fault == IoFault.Busy)
            {
                refused++;
            }
        }

        Assert.Equal(1, refused);
    });

    [Fact]
    public void A_checkers_is_refused_at_once() => Run(async () =>
    {
        Write(Read() with { Sequence = MmpBlock.SequenceFsck });
        Assert.Equal(IoFault.Busy, (await Assert.ThrowsAsync<DeviceException>(async () => await fixture.OpenAsync())).Fault);
        await (await fixture.OpenAsync(isReadOnly: true)).DisposeAsync();
    });

    [Fact]
    public void Taken_over_it_makes_no_more_changes_and_leaves_the_block_alone() => Run(async () =>
    {
        Ext4FileSystem fileSystem = await fixture.OpenAsync();
        await TouchAsync(fileSystem, "a");
        Write(Read() with { Sequence = 4711, NodeName = "other" });
        fixture.Scheduler.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(IoFault.ReadOnly, (await Assert.ThrowsAsync<FileSystemException>(async () => await TouchAsync(fileSystem, "b"))).Fault);
        await Record.ExceptionAsync(async () => await fileSystem.DisposeAsync());
        Assert.Equal(4711u, Read().Sequence);
    });

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL << 40)]
    public void A_block_outside_the_volume_is_damage(ulong block) => Run(async () =>
    {
        Superblock superblock = ReadSuperblock();
        superblock.MmpBlock = block;
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        fixture.Device.Poke(Superblock.VolumeOffset, raw);
        Assert.Equal("s_mmp_block", (await Assert.ThrowsAsync<CorruptVolumeException>(async () => await fixture.OpenAsync())).Field);
    });

    private void Run(Func<Task> body) => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions { Features = "mmp" });
        await body();
        fixture.AssertLocksInOrder();
    });

    private static async Task TouchAsync(Ext4FileSystem fileSystem, string name)
    {
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        try
        {
            await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(root, Name(name), NamesFixture.File));
        }
        finally
        {
            await fileSystem.Inodes.ReleaseAsync(root);
        }
    }

    private Superblock ReadSuperblock() => Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size));

    private MmpBlock Read()
    {
        Superblock superblock = ReadSuperblock();
        byte[] raw = fixture.Device.Peek((long)superblock.MmpBlock * superblock.BlockSize, MmpBlock.Size);
        return MmpBlock.Parse(raw, new VolumeBlock(superblock.MmpBlock), new MetadataChecksum(superblock));
    }

    private void Write(MmpBlock block)
    {
        Superblock superblock = ReadSuperblock();
        byte[] raw = new byte[MmpBlock.Size];
        block.WriteTo(raw, new MetadataChecksum(superblock));
        fixture.Device.Poke((long)superblock.MmpBlock * superblock.BlockSize, raw);
    }
}
