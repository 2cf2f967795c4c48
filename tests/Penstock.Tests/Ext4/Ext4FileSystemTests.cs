using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Testing.Ext4;
using Xunit;
using static Penstock.Tests.Ext4.NamesFixture;

namespace Penstock.Tests.Ext4;

public sealed class Ext4FileSystemTests
{
    private readonly NamesFixture fixture = new();

    [Fact]
    public void Opened_read_and_closed_it_writes_not_one_byte() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        fixture.Device.ClearRecord();
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            await new VolumeWalker(fileSystem).RunAsync();
        }

        Assert.DoesNotContain(fixture.Device.Operations, o => o.Operation != DeviceOperation.Read && o.Operation != DeviceOperation.Flush);
    });

    [Fact]
    public void The_first_change_is_preceded_by_a_durable_mark_and_closing_takes_it_back() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions { Features = "^has_journal" });
        Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Equal(VolumeStates.Clean, ReadState());
        fixture.Device.ClearRecord();
        await TouchAsync(fileSystem, "a");
        Assert.Equal(DeviceOperation.WriteThrough, fixture.Device.Operations.First(o => o.Operation != DeviceOperation.Read).Operation);
        Assert.Equal(VolumeStates.None, ReadState());
        await fileSystem.DisposeAsync();
        Assert.Equal(VolumeStates.Clean, ReadState());
    });

    [Fact]
    public void With_a_journal_the_mark_is_needs_recovery_and_the_log_is_empty_at_the_end() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Ext4FileSystem fileSystem = await fixture.OpenAsync(usesJournal: true);
        Assert.False(NeedsRecovery());
        fixture.Device.ClearRecord();
        await TouchAsync(fileSystem, "a");
        Assert.Equal(DeviceOperation.WriteThrough, fixture.Device.Operations.First(o => o.Operation != DeviceOperation.Read).Operation);
        Assert.True(NeedsRecovery());
        Assert.Equal(VolumeStates.Clean, ReadState());
        await fileSystem.DisposeAsync();
        Assert.False(NeedsRecovery());
        Assert.Equal(VolumeStates.Clean, ReadState());

        bool NeedsRecovery() =>
            Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size)).Has(IncompatFeatures.NeedsRecovery);
    });

    [Fact]
    public void What_was_not_closed_opens_read_only_and_says_why() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions { Features = "^has_journal" });
        Ext4FileSystem left = await fixture.OpenAsync();
        await TouchAsync(left, "a");
        await left.Journal.CommitAsync(left.Journal.Running);
        Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Contains("not closed cleanly", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        var refused = await Assert.ThrowsAsync<FileSystemException>(async () => await names.MakeAsync(root, Name("b"), NamesFixture.File));
        Assert.Equal(IoFault.ReadOnly, refused.Fault);
    });

    [Fact]
    public void An_unlinked_inode_lives_until_its_last_reference_and_then_its_number_is_free() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        ulong free = fileSystem.Statistics.FreeInodes;
        Inode made = await names.MakeAsync(root, Name("a"), NamesFixture.File);
        await names.UnlinkAsync(root, Name("a"));
        Assert.Equal(0u, made.Attributes.Links);
        Assert.False(fileSystem.Orphans.IsEmpty);
        Assert.Equal((uint)made.Number.Value, fileSystem.Volume.Superblock.LastOrphan);
        Assert.Equal(free - 1, fileSystem.Statistics.FreeInodes);
        await fileSystem.Inodes.ReleaseAsync(made);
        Assert.True(fileSystem.Orphans.IsEmpty);
        Assert.Equal(0u, fileSystem.Volume.Superblock.LastOrphan);
        Assert.Equal(free, fileSystem.Statistics.FreeInodes);
        await fileSystem.Inodes.ReleaseAsync(root);
    });

    [Fact]
    public void Orphans_that_a_clean_volume_still_has_are_freed_on_opening() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions { Features = "^has_journal" });
        ulong free;
        Ext4FileSystem left = await fixture.OpenAsync();
        var names = new Namespace(left);
        Inode root = await names.GetRootAsync();
        free = left.Statistics.FreeInodes;
        for (int i = 0; i < 3; i++)
        {
            _ = await names.MakeAsync(root, Name($"open-{i}"), NamesFixture.File);
            await names.UnlinkAsync(root, Name($"open-{i}"));
        }

        await left.Journal.CommitAsync(left.Journal.Running);
        Superblock superblock = Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size));
        Assert.NotEqual(0u, superblock.LastOrphan);
        superblock.State |= VolumeStates.Clean;
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        fixture.Device.Poke(Superblock.VolumeOffset, raw);

        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Equal(0u, fileSystem.Volume.Superblock.LastOrphan);
        Assert.Equal(free, fileSystem.Statistics.FreeInodes);
    });

    [Fact]
    public void An_unknown_incompatible_feature_is_refused_by_its_name() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Patch(s => s.Features = s.Features.With((IncompatFeatures)0x100000));
        var refused = await Assert.ThrowsAsync<UnsupportedFeatureException>(async () => await fixture.OpenAsync(isReadOnly: true));
        Assert.Equal(["FEATURE_I20"], refused.Features);
    });

    [Fact]
    public void An_unknown_read_only_feature_makes_it_read_only() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Patch(s => s.Features = s.Features.With((ReadOnlyCompatFeatures)0x40000000));
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Contains("FEATURE_R30", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
    });

    [Fact]
    public void Opening_15_TiB_reads_a_handful_of_blocks()
    {
        var large = new NamesFixture(length: 15L << 40);
        large.Scheduler.Run(async () =>
        {
            await large.MakeAsync(new MakingOptions { DiscardsFirst = false });
            large.Device.ClearRecord();
            await using Ext4FileSystem fileSystem = await large.OpenAsync();
            Assert.InRange(large.Device.Count(DeviceOperation.Read), 1, 10);
            Assert.True(fileSystem.Statistics.FreeBlocks > 3_000_000_000);
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Many_at_once_keep_the_order_of_locks_and_leave_a_whole_tree(int seed)
    {
        var many = new NamesFixture(seed);
        many.Scheduler.Run(async () =>
        {
            await many.MakeAsync(new MakingOptions { BlockSize = 1024 });
            await using (Ext4FileSystem fileSystem = await many.OpenAsync())
            {
                var names = new Namespace(fileSystem);
                Inode root = await names.GetRootAsync();
                Task[] actors = [.. Enumerable.Range(0, 8).Select(i => ActAsync(many, names, root, seed * 100 + i))];
                await Task.WhenAll(actors);
                await fileSystem.Inodes.ReleaseAsync(root);
                Assert.Empty((await new VolumeWalker(fileSystem).RunAsync()).Faults);
            }

            await using Ext4FileSystem again = await many.OpenAsync();
            Assert.Empty((await new VolumeWalker(again).RunAsync()).Faults);
        });
        many.AssertLocksInOrder();
    }

    private static async Task ActAsync(NamesFixture fixture, Namespace names, Inode root, int seed)
    {
        var random = new Random(seed);
        using var operation = fixture.Scheduler.Recorder!.BeginOperation($"actor {seed}");
        for (int step = 0; step < 150; step++)
        {
            await fixture.Scheduler.Yield();
            try
            {
                await ActOnceAsync(names, root, random);
            }
            catch (FileSystemException e) when (e is not CorruptVolumeException)
            {
                // Others were faster.
            }
        }
    }

    private static async Task ActOnceAsync(Namespace names, Inode root, Random random)
    {
        Inode from = await PickAsync(names, root, random);
        Inode to = await PickAsync(names, root, random);
        FileName name = Name($"n{random.Next(12)}");
        FileName other = Name($"n{random.Next(12)}");
        try
        {
            switch (random.Next(7))
            {
                case 0:
                    await ReleaseAsync(names, await names.MakeAsync(from, name, NamesFixture.File));
                    break;
                case 1:
                case 2:
                    await ReleaseAsync(names, await names.MakeAsync(from, name, NamesFixture.Directory));
                    break;
                case 3:
                    await names.UnlinkAsync(from, name);
                    break;
                case 4:
                    await names.RemoveDirectoryAsync(from, name);
                    break;
                case 5:
                    await names.RenameAsync(from, name, to, other, RenameFlags.None);
                    break;
                default:
                    await names.RenameAsync(from, name, to, other, RenameFlags.Exchange);
                    break;
            }
        }
        finally
        {
            await ReleaseAsync(names, from);
            await ReleaseAsync(names, to);
        }
    }

    private static async Task<Inode> PickAsync(Namespace names, Inode root, Random random)
    {
        Inode current = root;
        names.FileSystem.Inodes.Reference(root);
        while (random.Next(3) != 0)
        {
            Inode? next = await names.TryLookupAsync(current, Name($"n{random.Next(12)}"));
            if (next is null)
            {
                break;
            }

            if (next.Kind != FileKind.Directory)
            {
                await ReleaseAsync(names, next);
                break;
            }

            await ReleaseAsync(names, current);
            current = next;
        }

        return current;
    }

    private static ValueTask ReleaseAsync(Namespace names, Inode inode) => names.FileSystem.Inodes.ReleaseAsync(inode);

    private static async Task TouchAsync(Ext4FileSystem fileSystem, string name)
    {
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(root, Name(name), NamesFixture.File));
        await fileSystem.Inodes.ReleaseAsync(root);
    }

    private VolumeStates ReadState() => Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size)).State;

    private void Patch(Action<Superblock> change)
    {
        Superblock superblock = Superblock.Parse(fixture.Device.Peek(Superblock.VolumeOffset, Superblock.Size));
        change(superblock);
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        fixture.Device.Poke(Superblock.VolumeOffset, raw);
    }
}
