using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Ext4.Recovery;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Testing.Journal;
using Xunit;

namespace Penstock.Tests.Ext4.Recovery;

/// <summary>A volume with something in its journal is opened: replayed, laid over, or refused for writing, and what is then on the device.</summary>
public sealed partial class VolumeRecoveryTests
{
    private readonly NamesFixture fixture = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_log_is_replayed_whether_or_not_the_superblock_says_so(bool isFlagged) => fixture.Scheduler.Run(async () =>
    {
        byte[] changed = await MakeWithLogAsync(isFlagged);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Null(fileSystem.ReadOnlyReason);
            Assert.Equal(new RecoverySummary(1, 2, 0, IsOverlaid: false), fileSystem.Recovery);
            Assert.True(await HasNameAsync(fileSystem, "logged"));
            Assert.Equal(changed, fixture.Device.Peek(await RootBlockAsync() * (long)fileSystem.BlockSize, changed.Length));
        }

        Superblock superblock = ReadSuperblock();
        Assert.False(superblock.Has(IncompatFeatures.NeedsRecovery));
        (JournalSuperblock journal, _) = await OpenJournalAsync(area => (area.Superblock, 0));
        Assert.Equal((0u, 8u), (journal.Start, journal.Sequence));
        await using Ext4FileSystem again = await fixture.OpenAsync();
        Assert.Null(again.Recovery);
        Assert.True(await HasNameAsync(again, "logged"));
    });

    [Fact]
    public void Opened_read_only_the_log_is_laid_over_and_nothing_written() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true);
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync(isReadOnly: true))
        {
            Assert.Equal("opened read-only", fileSystem.ReadOnlyReason);
            Assert.Equal(new RecoverySummary(1, 2, 0, IsOverlaid: true), fileSystem.Recovery);
            Assert.True(await HasNameAsync(fileSystem, "logged"));
        }

        fixture.Device.MakeReadOnly = true;
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Equal("the device is read-only", fileSystem.ReadOnlyReason);
            Assert.True(await HasNameAsync(fileSystem, "logged"));
        }

        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    [Fact]
    public void A_recovery_cut_off_at_any_write_begins_anew() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true);
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        for (int cut = 0; ; cut++)
        {
            fixture.Device.Poke(0, before);
            int writes = 0;
            fixture.Device.FaultRule = o => o.Operation is DeviceOperation.Read or DeviceOperation.Flush || writes++ < cut
                ? null
                : IoResult.Failed(IoFault.DeviceFailed);
            bool isCut = false;
            try
            {
                await using Ext4FileSystem cutOff = await fixture.OpenAsync();
            }
            catch (DeviceException)
            {
                isCut = true;
            }

            fixture.Device.FaultRule = null;
            await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
            Assert.Null(fileSystem.ReadOnlyReason);
            Assert.True(await HasNameAsync(fileSystem, "logged"));
            if (!isCut)
            {
                Assert.InRange(cut, 3, 6);
                return;
            }
        }
    });

    [Fact]
    public void What_was_replayed_is_durable_before_the_log_is_emptied() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true);
        fixture.Device.ClearRecord();
        await (await fixture.OpenAsync()).DisposeAsync();
        List<DeviceOperation> order = [.. fixture.Device.Operations.Select(o => o.Operation).Where(o => o != DeviceOperation.Read)];
        int flush = order.IndexOf(DeviceOperation.Flush);
        int emptied = order.IndexOf(DeviceOperation.WriteThrough);
        Assert.True(flush > 0 && emptied > flush, string.Join(' ', order));
        Assert.DoesNotContain(DeviceOperation.Write, order.Skip(flush));
    });

    [Fact]
    public void An_error_that_the_journal_remembers_comes_into_the_superblock() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true, journal => journal.ErrorNumber = -5);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Contains("errors were found", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
            Assert.True(await HasNameAsync(fileSystem, "logged"));
        }

        Assert.Equal(VolumeStates.HasErrors | VolumeStates.Clean, ReadSuperblock().State);
        (int error, uint start) = await OpenJournalAsync(area => (area.Superblock.ErrorNumber, area.Superblock.Start));
        Assert.Equal((0, 0u), (error, start));
    });

    [Fact]
    public void An_empty_log_only_takes_the_flag_away() => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions());
        Superblock before = ReadSuperblock();
        Patch(s =>
        {
            s.Features = s.Features.With(IncompatFeatures.NeedsRecovery);
            s.FreeBlockCount -= 7;
        });
        await using (Ext4FileSystem readOnly = await fixture.OpenAsync(isReadOnly: true))
        {
            Assert.Null(readOnly.Recovery);
            Assert.Equal(before.FreeBlockCount, readOnly.Statistics.FreeBlocks);
        }

        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Null(fileSystem.ReadOnlyReason);
        Assert.Equal((before.Features, before.FreeBlockCount), (ReadSuperblock().Features, ReadSuperblock().FreeBlockCount));
    });

    [Fact]
    public void A_damaged_log_is_not_replayed_and_keeps_the_volume_from_being_written() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true);
        await OpenJournalAsync(area =>
        {
            long offset = area.OffsetOf(5, out _) + 700;
            byte[] one = fixture.Device.Peek(offset, 1);
            one[0] ^= 1;
            fixture.Device.Poke(offset, one);
            return (0, 0);
        });
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Contains("its journal is damaged", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    [Fact]
    public void A_journal_that_cannot_be_read_keeps_the_volume_from_being_written() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true, journal => journal.Features |= (JournalFeatures)0x8000);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Contains("its journal cannot be used", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        }

        Patch(s => s.JournalInode = 11);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Contains("s_journal_inum", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        }

        Patch(s => s.JournalInode = 0);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Contains("a device of its own", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        }

        Patch(s => s.Features = s.Features.Without(CompatFeatures.HasJournal));
        await using Ext4FileSystem without = await fixture.OpenAsync();
        Assert.Contains("its journal is missing", without.ReadOnlyReason, StringComparison.Ordinal);
    });

    [Fact]
    public void A_volume_whose_features_cannot_be_written_is_not_replayed() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithLogAsync(isFlagged: true);
        Patch(s => s.Features = s.Features.With((ReadOnlyCompatFeatures)0x40000000));
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.True(fileSystem.Recovery!.IsOverlaid);
        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    /// <summary>
    /// A volume with a file "before", and a log with one transaction in which it becomes "logged". Returns the block of the directory as it is then.
    /// </summary>
    private async Task<byte[]> MakeWithLogAsync(bool isFlagged, Action<JournalSuperblock>? change = null)
    {
        await fixture.MakeAsync(new MakingOptions { BlockSize = 1024, Features = "^metadata_csum", JournalLength = 2 << 20 });
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            var names = new Namespace(fileSystem);
            Inode root = await names.GetRootAsync();
            await fileSystem.Inodes.ReleaseAsync(await names.MakeAsync(root, NamesFixture.Name("before"), NamesFixture.File));
            await fileSystem.Inodes.ReleaseAsync(root);
        }

        long block = await RootBlockAsync();
        byte[] content = fixture.Device.Peek(block * 1024, 1024);
        int name = content.AsSpan().IndexOf("before"u8);
        "logged"u8.CopyTo(content.AsSpan(name));
        await OpenJournalAsync(area =>
        {
            var log = new LogComposer(fixture.Device, area);
            log.Next = 4;
            log.Begin(JournalFeatures.ChecksumV3 | JournalFeatures.Is64Bit, sequence: 6);
            Superblock inLog = ReadSuperblock();
            inLog.Features = inLog.Features.With(IncompatFeatures.NeedsRecovery);
            byte[] superblock = new byte[1024];
            inLog.WriteTo(superblock);
            log.Write([((ulong)block, content), (1, superblock)]);
            log.Commit();
            change?.Invoke(log.Superblock);
            log.WriteSuperblock();
            return (0, 0);
        });
        Patch(s => s.Features = isFlagged ? s.Features.With(IncompatFeatures.NeedsRecovery) : s.Features);
        return content;
    }

    /// <summary>The block of the root directory's names: the first with the name.</summary>
    private async Task<long> RootBlockAsync()
    {
        await using Ext4FileSystem fileSystem = Ext4FileSystem.OpenForRecovery(fixture.Device, new PageCache(fixture.Scheduler, 4 << 20), ReadSuperblock());
        var root = (Ext4Inode)await fileSystem.LoadAsync(new Penstock.Mapping.InodeNumber(2), InodePurpose.Named);
        return (long)(await root.Mapper!.MapAsync(default, 1)).Volume.Value;
    }

    private async Task<(TFirst, TSecond)> OpenJournalAsync<TFirst, TSecond>(Func<LogArea, (TFirst, TSecond)> use)
    {
        await using Ext4FileSystem fileSystem = Ext4FileSystem.OpenForRecovery(fixture.Device, new PageCache(fixture.Scheduler, 4 << 20), ReadSuperblock());
        using LogArea area = await JournalFinder.OpenAsync(fileSystem, external: null);
        return use(area);
    }

    private static async Task<bool> HasNameAsync(Ext4FileSystem fileSystem, string name)
    {
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        Inode? found = await names.TryLookupAsync(root, NamesFixture.Name(name));
        await fileSystem.Inodes.ReleaseAsync(root);
        if (found is not null)
        {
            await fileSystem.Inodes.ReleaseAsync(found);
        }

        return found is not null;
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
