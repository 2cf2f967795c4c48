using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4;

/// <summary>Damage that is met on a volume open for writing: what its superblock wants done about it, and says afterwards.</summary>
public sealed class DamageRecordTests
{
    private readonly NamesFixture fixture = new();

    [Theory]
    [InlineData((ushort)1)]
    [InlineData((ushort)2)]
    [InlineData((ushort)3)]
    public void Damage_ends_changes_and_the_superblock_says_what_was_met(ushort policy) => fixture.Scheduler.Run(async () =>
    {
        InodeNumber damaged = await MakeDamagedAsync(policy);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Null(fileSystem.ReadOnlyReason);
            var names = new Namespace(fileSystem);
            Inode root = await names.GetRootAsync();
            await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(root, NamesFixture.Name("before"), NamesFixture.File));
            await Assert.ThrowsAsync<CorruptVolumeException>(async () => await fileSystem.Inodes.GetAsync(damaged));
            await Assert.ThrowsAsync<CorruptVolumeException>(async () => await fileSystem.Inodes.GetAsync(damaged));
            Assert.NotNull(fileSystem.ReadOnlyReason);
            await Assert.ThrowsAsync<FileSystemException>(async () => await names.MakeAsync(root, NamesFixture.Name("after"), NamesFixture.File));
            await fileSystem.Inodes.ReleaseAsync(root);
        }

        Superblock superblock = ReadSuperblock();
        Assert.Equal(VolumeStates.HasErrors, superblock.State & VolumeStates.HasErrors);
        Assert.Equal((2u, (uint)damaged.Value, "inode", 4), (superblock.ErrorCount, superblock.FirstErrorInode, superblock.FirstErrorFunction, superblock.FirstErrorCode));
        Assert.Equal(((uint)damaged.Value, "inode"), (superblock.LastErrorInode, superblock.LastErrorFunction));
        Assert.NotEqual(0, superblock.FirstErrorTime.Seconds);
        await using Ext4FileSystem again = await fixture.OpenAsync();
        Assert.Contains("errors were found", again.ReadOnlyReason, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Met_on_a_volume_that_is_only_read_it_is_not_told(bool isReadOnly) => fixture.Scheduler.Run(async () =>
    {
        InodeNumber damaged = await MakeDamagedAsync(policy: 1);
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync(isReadOnly: isReadOnly))
        {
            await Assert.ThrowsAsync<CorruptVolumeException>(async () => await fileSystem.Inodes.GetAsync(damaged));
        }

        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    [Theory]
    [InlineData(12u, "is free")]
    [InlineData(5u, "a reserved one")]
    [InlineData(99_999u, "no name may lead to")]
    public void Orphans_that_lead_astray_are_left_to_a_check(uint orphan, string why) => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Patch(s => s.LastOrphan = orphan);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Contains("orphans cannot be settled", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
            Assert.Contains(why, fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        }

        Assert.Equal((orphan, VolumeStates.None), (ReadSuperblock().LastOrphan, ReadSuperblock().State & VolumeStates.HasErrors));
    });

    [Theory]
    [InlineData(0u, false)]
    [InlineData(0x20u, true)]
    [InlineData(0x40u, false)]
    [InlineData(0x60u, false)]
    public void A_volume_that_wants_data_in_its_journal_syncs_all_of_it(uint options, bool syncsAll) => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Patch(s => s.DefaultMountOptions = (s.DefaultMountOptions & ~0x60u) | options);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Equal(syncsAll, fileSystem.SyncsAllData);
    });

    /// <summary>A volume with a file whose inode's checksum is wrong.</summary>
    private async Task<InodeNumber> MakeDamagedAsync(ushort policy)
    {
        await fixture.MakeAsync(new MakingOptions());
        InodeNumber number;
        long offset;
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            var names = new Namespace(fileSystem);
            Inode root = await names.GetRootAsync();
            Inode file = await names.MakeAsync(root, NamesFixture.Name("file"), NamesFixture.File);
            number = file.Number;
            offset = ((long)(await fileSystem.FindTableBlockAsync(number)).Value * fileSystem.BlockSize) + fileSystem.Volume.Geometry.Locate(number).OffsetInBlock;
            await fileSystem.Inodes.ReleaseAsync(file);
            await fileSystem.Inodes.ReleaseAsync(root);
        }

        byte[] uid = fixture.Device.Peek(offset + 2, 1);
        uid[0] ^= 1;
        fixture.Device.Poke(offset + 2, uid);
        Patch(s => s.ErrorPolicy = policy);
        return number;
    }

    private Superblock ReadSuperblock() => Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size));

    private void Patch(Action<Superblock> change)
    {
        Superblock superblock = ReadSuperblock();
        change(superblock);
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        fixture.Device.Poke(Superblock.VolumeOffset, raw);
    }
}
