using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Allocation;

public sealed class InodeAllocatorTests
{
    private static readonly InodeNumber s_root = new(2);

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Every_inode_is_handed_out_once_and_then_there_is_none(bool isLazy, bool hasChecksums)
    {
        var volume = new TestVolume(new EmptyVolume { IsLazy = isLazy, HasChecksums = hasChecksums, Blocks = 3 * 1024, InodesPerGroup = 24 });
        volume.Scheduler.Run(async () =>
        {
            var taken = new HashSet<ulong>();
            for (int i = 0; i < (3 * 24) - 10; i++)
            {
                AllocatedInode made = await TakeAsync(volume, s_root, isDirectory: i % 5 == 0);
                Assert.True(taken.Add(made.Number.Value));
                Assert.InRange(made.Number.Value, 11UL, 72UL);
            }

            Assert.Equal(0u, volume.Volume.Space.FreeInodes);
            var full = await Assert.ThrowsAsync<FileSystemException>(() => TakeAsync(volume, s_root, isDirectory: false));
            Assert.Equal(IoFault.NoSpace, full.Fault);

            await using TestVolume again = await volume.ReopenAsync();
            await FreeAsync(again, 33);
            Assert.Equal(33UL, (await TakeAsync(again, s_root, isDirectory: false)).Number.Value);
        });
    }

    [Fact]
    public void Inodes_of_a_table_that_was_never_written_are_zero()
    {
        var volume = new TestVolume(new EmptyVolume { IsLazy = true, Blocks = 2 * 1024, InodesPerGroup = 16 });
        volume.Scheduler.Run(async () =>
        {
            InodeNumber parent = volume.Geometry.InodeAt(new BlockGroup(1), 0);
            AllocatedInode made = await TakeAsync(volume, parent, isDirectory: false);
            Assert.Equal(17UL, made.Number.Value);
            await volume.CommitAsync();
            Group group = await volume.Volume.Groups.GetAsync(new BlockGroup(1));
            Assert.All(volume.Device.Peek((long)group.InodeTable.Value * 1024, 1024), b => Assert.Equal(0, b));
            Assert.Equal(0xA5, volume.Device.Peek((long)(group.InodeTable.Value + 1) * 1024, 1)[0]);
            Assert.Equal(15u, group.Descriptor.UnusedInodes);
            Assert.False(group.Descriptor.Is(GroupFlags.InodeUninit));
        });
    }

    [Fact]
    public void A_file_goes_to_its_parents_group_and_directories_of_the_root_are_spread()
    {
        var volume = new TestVolume(seed: 3);
        volume.Scheduler.Run(async () =>
        {
            InodeNumber parent = volume.Geometry.InodeAt(new BlockGroup(5), 3);
            AllocatedInode file = await TakeAsync(volume, parent, isDirectory: false);
            Assert.Equal(5u, volume.Geometry.Locate(file.Number).Group.Value);
            AllocatedInode below = await TakeAsync(volume, parent, isDirectory: true);
            Assert.Equal(5u, volume.Geometry.Locate(below.Number).Group.Value);
            var groups = new HashSet<uint>();
            for (int i = 0; i < 6; i++)
            {
                AllocatedInode top = await TakeAsync(volume, s_root, isDirectory: true);
                groups.Add(volume.Geometry.Locate(top.Number).Group.Value);
            }

            Assert.Equal(6, groups.Count);
        });
    }

    [Fact]
    public void A_free_inode_is_not_freed_again()
    {
        var volume = new TestVolume();
        volume.Scheduler.Run(async () =>
        {
            CorruptVolumeException twice = await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 20));
            Assert.Equal("inode bitmap", twice.Structure);
            await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 2));
            await Assert.ThrowsAsync<CorruptVolumeException>(() => FreeAsync(volume, 1 << 20));

            // The group is not used any more, the others are.
            AllocatedInode made = await TakeAsync(volume, s_root, isDirectory: false);
            Assert.Equal(1u, volume.Geometry.Locate(made.Number).Group.Value);
            Assert.True(volume.Volume.IsDamaged);
        });
    }

    private static Task<AllocatedInode> TakeAsync(TestVolume volume, InodeNumber parent, bool isDirectory) => volume.ChangeAsync(
        InodeAllocator.CreditsToAllocate, handle => volume.Volume.Inodes.AllocateAsync(handle, parent, isDirectory));

    private static Task FreeAsync(TestVolume volume, ulong number) => volume.ChangeAsync(
        InodeAllocator.CreditsToFree, handle => volume.Volume.Inodes.FreeAsync(handle, new InodeNumber(number), isDirectory: false));
}
