using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Ext4.Recovery;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>An open ext2, ext3 or ext4 volume.</summary>
internal sealed partial class Ext4FileSystem : FileSystem
{
    /// <summary>The root directory's inode, on every volume.</summary>
    public const uint RootInode = 2;

    private const int BytesOfExtent = 12;

    private readonly string? _readOnlyReason;
    private readonly RecoveredVolume _recovered;
    private readonly SuperblockKeeper _keeper;
    private readonly Lazy<ulong> _overheadBlocks;
    private MultipleMountGuard? _guard;
    private string? _orphanProblem;

    private Ext4FileSystem(RecoveredVolume recovered, PageCache pageCache, Ext4Volume volume, string? readOnlyReason, Ext4OpenOptions options)
        : base(recovered.Device, pageCache)
    {
        Volume = volume;
        _recovered = recovered;
        _readOnlyReason = readOnlyReason;
        _keeper = new SuperblockKeeper(volume, options.MountedOn);
        _overheadBlocks = new Lazy<ulong>(CountOverhead);
        volume.Space.MayUseRootReserve = options.MayUseRootReserve;
        var cache = new VolumeMetadataCache(Device, BlockSize, options.MetadataBudget);
        DataMode = options.DataMode ?? ToDataMode(volume.Superblock.DataMode);
        volume.Attach(readOnlyReason is not null ? new ReadOnlyJournal(cache, readOnlyReason)
            : volume.Superblock.Has(CompatFeatures.HasJournal) && options.UsesJournal ? new LogJournal(cache, this) { OrdersData = DataMode != DataMode.Writeback }
            : new NoLogJournal(cache, this));
        Orphans = new OrphanRegister(this);
    }

    public Ext4Volume Volume { get; }

    /// <summary>The inodes that recovery must cut back or free.</summary>
    public OrphanRegister Orphans { get; }

    /// <summary>What was found in the journal on opening; null if nothing was.</summary>
    public RecoverySummary? Recovery => _recovered.Summary;

    /// <summary>Why the journal keeps the volume from being written, however it was opened; null if it does not.</summary>
    public string? JournalProblem => _recovered.ReadOnlyReason;

    /// <summary>What the journal does for data, if there is one that is written.</summary>
    public DataMode DataMode { get; }

    public override bool SyncsAllData => Journal is LogJournal && DataMode == DataMode.Journal;

    public override string? RecoveryDescription => Recovery?.ToString();

    public override MetadataJournal Journal => Volume.Journal;

    public override string FormatName
    {
        get
        {
            Superblock superblock = Volume.Superblock;
            bool isFourth = superblock.Has(IncompatFeatures.Extents | IncompatFeatures.FlexBg | IncompatFeatures.Is64Bit)
                || superblock.Has(ReadOnlyCompatFeatures.HugeFile | ReadOnlyCompatFeatures.UninitBg | ReadOnlyCompatFeatures.MetadataCsum);
            return isFourth ? "ext4" : superblock.Has(CompatFeatures.HasJournal) ? "ext3" : "ext2";
        }
    }

    public override int BlockSize => Volume.Geometry.BlockSize;

    public override string? ReadOnlyReason =>
        _readOnlyReason ?? _orphanProblem
        ?? (Journal.IsAborted ? "a change could not be stored; close the volume and run e2fsck"
            : Volume.IsDamaged ? "damage was found on the volume; close it and run e2fsck"
            : null);

    /// <summary>What was changed before damage was found is still stored; only new changes are refused.</summary>
    public override bool CanStore => _readOnlyReason is null && !Journal.IsAborted;

    public override InodeNumber RootNumber => new(RootInode);

    /// <summary>
    /// The most that any file may have; a file with an indirect map may have less, which its mapper says. Without huge_file its sectors must be countable with 32 bits, those of
    /// its map too: at worst each block is an extent of its own.
    /// </summary>
    public override long MaxFileSize
    {
        get
        {
            if (Volume.Superblock.Has(ReadOnlyCompatFeatures.HugeFile))
            {
                return (long)Math.Min((ulong)BlockSize << 32, (ulong)long.MaxValue + 1) - BlockSize;
            }

            long countable = uint.MaxValue * (long)Ext4Inode.BytesPerSector;
            long map = countable / ((BlockSize / BytesOfExtent) - 2);
            return (countable - map - ((long)BlockSize * Volume.Geometry.ClusterRatio * 2)) & -BlockSize;
        }
    }

    public override byte[]? Label => System.Text.Encoding.UTF8.GetBytes(Volume.Superblock.VolumeName);

    /// <summary>Inodes of 128 bytes have no room for nanoseconds.</summary>
    public override bool HasNanoseconds => Volume.Geometry.InodeSize > InodeRecord.MinSize;

    public override VolumeStatistics Statistics => new(
        BlockSize,
        Volume.Geometry.BlockCount - Math.Min(_overheadBlocks.Value, Volume.Geometry.BlockCount),
        Volume.Space.UnpromisedBlocks,
        Volume.Space.AvailableBlocks,
        Volume.Geometry.InodeCount,
        Volume.Space.FreeInodes);

    /// <summary>Whether a device begins with something that calls itself ext2, ext3 or ext4.</summary>
    public static async ValueTask<bool> IsRecognisedAsync(BlockDevice device) =>
        Superblock.IsRecognised(await SuperblockKeeper.ReadAsync(device).ConfigureAwait(false));

    /// <summary>
    /// Opens the volume on a device, which stays the caller's. What waits in its journal is replayed first, or laid over the device if nothing may
    /// be written; otherwise nothing is written before the first change.
    /// </summary>
    /// <exception cref="UnsupportedFeatureException">A feature is not known.</exception>
    /// <exception cref="CorruptVolumeException">The superblock or the root directory is damaged, or the device is too short.</exception>
    /// <exception cref="DeviceException">The device failed, or another host has the volume open (mmp).</exception>
    public static async ValueTask<Ext4FileSystem> OpenAsync(BlockDevice device, PageCache pageCache, Ext4OpenOptions options)
    {
        byte[] raw = await SuperblockKeeper.ReadAsync(device).ConfigureAwait(false);
        Superblock superblock = Superblock.Parse(raw);
        FeaturePolicy.RequireReadable(superblock, device.Name);
        SuperblockValidation.CheckAgainstDevice(superblock, device.Length);
        bool mayWrite = !options.IsReadOnly && !device.IsReadOnly && options.JournalDevice is not { IsReadOnly: true } && FeaturePolicy.FindUnwritable(superblock, device.Name) is null;

        // Before anything is concluded from the state of the volume: it may be another's.
        MultipleMountGuard? guard = mayWrite && superblock.Has(IncompatFeatures.Mmp)
            ? await MultipleMountGuard.ClaimAsync(new Ext4Volume(device, superblock)).ConfigureAwait(false)
            : null;
        RecoveredVolume? recovered = null;
        try
        {
            recovered = await VolumeRecovery.RunAsync(device, pageCache, options, superblock, mayWrite).ConfigureAwait(false);
            return await OpenAsync(recovered, pageCache, options, device.IsReadOnly, guard).ConfigureAwait(false);
        }
        catch
        {
            await ReleaseAsync(guard).ConfigureAwait(false);
            recovered?.Dispose();
            throw;
        }
    }

    /// <summary>The volume as it lies on the device, for what must be read of it before its journal is replayed. Nothing can be changed.</summary>
    public static Ext4FileSystem OpenForRecovery(BlockDevice device, PageCache pageCache, Superblock superblock) =>
        new(new RecoveredVolume(device, superblock), pageCache, new Ext4Volume(device, superblock), "being recovered", new Ext4OpenOptions());

    /// <summary>
    /// A volume that can be changed before it is recovered, on a device that keeps the changes in memory: without its log, and without looking at its orphans.
    /// </summary>
    public static Ext4FileSystem OpenForReplay(BlockDevice held, PageCache pageCache, Superblock superblock) =>
        new(new RecoveredVolume(held, superblock), pageCache, new Ext4Volume(held, superblock), null, new Ext4OpenOptions { UsesJournal = false, MayUseRootReserve = true });

    public override ValueTask<Inode> LoadInodeAsync(InodeNumber number) => LoadAsync(number, InodePurpose.Named);

    /// <summary>Reads an inode: one with names, or one that only the volume itself uses.</summary>
    public async ValueTask<Inode> LoadAsync(InodeNumber number, InodePurpose purpose)
    {
        bool isReserved = number.Value < Volume.Geometry.FirstInode && number != RootNumber;
        if (!Volume.Geometry.Contains(number) || (isReserved && purpose == InodePurpose.Named))
        {
            var damage = new CorruptVolumeException("directory entry", number.ToString(), "inode", $"{number.Value}, which no name may lead to");
            Volume.NoteDamage(damage);
            throw damage;
        }

        InodeLocation location = Volume.Geometry.Locate(number);
        Allocation.Group group = await Volume.Groups.GetAsync(location.Group).ConfigureAwait(false);
        VolumeBlock tableBlock = group.InodeTable + location.TableBlock;
        MetadataBlock block = await Volume.Cache.GetAsync(tableBlock).ConfigureAwait(false);
        try
        {
            ReadOnlySpan<byte> raw = block.Bytes.Slice(location.OffsetInBlock, Volume.Geometry.InodeSize);
            RequireInUse(raw, number, purpose);
            InodeRecord record = InodeRecord.Parse(raw, number, Volume.Geometry, Volume.Checksum);
            Ext4Inode.Validate(this, number, record);
            return new Ext4Inode(this, number, record, tableBlock);
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
        finally
        {
            block.Unpin();
        }
    }

    /// <summary>Where an inode's record lies.</summary>
    public async ValueTask<VolumeBlock> FindTableBlockAsync(InodeNumber number)
    {
        InodeLocation location = Volume.Geometry.Locate(number);
        Allocation.Group group = await Volume.Groups.GetAsync(location.Group).ConfigureAwait(false);
        return group.InodeTable + location.TableBlock;
    }

    /// <summary>A file outgrew 2 GiB: the superblock is to say so, once (large_file).</summary>
    public void NoteLargeFile() => _keeper.AddFeature(ReadOnlyCompatFeatures.LargeFile);

    /// <exception cref="FileSystemException">Something that was written could not be stored, and is lost.</exception>
    public override async ValueTask DisposeAsync()
    {
        IoFault lost = IoFault.None;
        try
        {
            if (_readOnlyReason is null && !Journal.IsAborted)
            {
                // All files at once; what fails here, closing its inode tries again.
                _ = await FileSystemWriteback.RunAsync(this).ConfigureAwait(false);
                await Inodes.CloseAsync().ConfigureAwait(false);
                await Inodes.StoreDirtyAsync().ConfigureAwait(false);
                if (await Journal.SettleAsync().ConfigureAwait(false))
                {
                    await _keeper.CloseAsync(Orphans.IsEmpty).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            lost = await FileSystemWriteback.DropAsync(this).ConfigureAwait(false);
            await AbandonAsync().ConfigureAwait(false);
        }

        if (lost != IoFault.None)
        {
            throw new FileSystemException(lost, $"{Device.Name}: not all that was written could be stored: {lost.Describe()}");
        }
    }

    private static async ValueTask<Ext4FileSystem> OpenAsync(
        RecoveredVolume recovered, PageCache pageCache, Ext4OpenOptions options, bool isDeviceReadOnly, MultipleMountGuard? guard)
    {
        string? reason = options.IsReadOnly ? "opened read-only"
            : isDeviceReadOnly ? "the device is read-only"
            : options.JournalDevice is { IsReadOnly: true } ? "the journal's device is read-only"
            : recovered.ReadOnlyReason ?? FeaturePolicy.FindReadOnlyReason(recovered.Superblock, recovered.Device.Name);
        var volume = new Ext4Volume(recovered.Device, recovered.Superblock) { DiscardsFreedBlocks = options.DiscardsFreedBlocks };
        var fileSystem = new Ext4FileSystem(recovered, pageCache, volume, reason, options);
        try
        {
            if (options.DataMode is not null && fileSystem.Journal is NoLogJournal)
            {
                throw new FileSystemException(IoFault.InvalidArgument, $"{recovered.Device.Name}: the volume has no journal, so there is no choice of what it does for data");
            }

            guard?.Watch(volume);
            if (reason is not null)
            {
                await ReleaseAsync(guard).ConfigureAwait(false);
            }
            else
            {
                fileSystem._guard = guard;
            }

            await fileSystem.StartAsync(options.JournalDevice).ConfigureAwait(false);
            return fileSystem;
        }
        catch
        {
            await fileSystem.AbandonAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static void RequireInUse(ReadOnlySpan<byte> record, InodeNumber number, InodePurpose purpose)
    {
        if (InodeRecord.ModeIn(record) == 0 || (InodeRecord.LinkCountIn(record) == 0 && purpose == InodePurpose.Named))
        {
            throw new FileSystemException(IoFault.Stale, $"{number} is free");
        }
    }

    private async ValueTask StartAsync(BlockDevice? journalDevice)
    {
        Inode root = await Inodes.GetAsync(RootNumber).ConfigureAwait(false);
        FileKind kind = root.Kind;
        await Inodes.ReleaseAsync(root).ConfigureAwait(false);
        if (kind != FileKind.Directory)
        {
            throw new CorruptVolumeException("inode", RootNumber.ToString(), "i_mode", $"that of a {kind}, but it is the root directory");
        }

        if (_recovered.HasStaleTotals)
        {
            (ulong clusters, ulong inodes) = await Volume.Groups.CountFreeAsync().ConfigureAwait(false);
            Volume.Space.Load(clusters, inodes);
        }

        if (Journal is LogJournal journal)
        {
            await AttachLogAsync(journal, journalDevice).ConfigureAwait(false);
        }

        await SettleOrphansAsync().ConfigureAwait(false);
    }

    /// <summary>A register of orphans that leads astray is left to e2fsck: with another inode in it, what it still has would be lost.</summary>
    private async ValueTask SettleOrphansAsync()
    {
        try
        {
            await Orphans.OpenAsync().ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e is CorruptVolumeException || e.Fault == IoFault.Stale)
        {
            CorruptVolumeException damage = e as CorruptVolumeException ?? new CorruptVolumeException("orphan list", "superblock", "inode", e.Message);
            Volume.NoteDamage(damage);
            _orphanProblem = $"its orphans cannot be settled ({damage.Message}); close it and run e2fsck";
        }
    }

    private static ValueTask ReleaseAsync(MultipleMountGuard? guard) => guard is null ? ValueTask.CompletedTask : guard.ReleaseAsync();

    /// <summary>The journal first: what it still writes is protected by the guard.</summary>
    private async ValueTask AbandonAsync()
    {
        try
        {
            await Journal.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            await ReleaseAsync(_guard).ConfigureAwait(false);
            _recovered.Dispose();
        }
    }

    private static DataMode ToDataMode(DefaultDataMode said) => said switch
    {
        DefaultDataMode.Journal => DataMode.Journal,
        DefaultDataMode.Writeback => DataMode.Writeback,
        _ => DataMode.Ordered,
    };

    private ulong CountOverhead()
    {
        uint stored = Volume.Superblock.OverheadClusters;
        return stored != 0 ? (ulong)stored * (uint)Volume.Geometry.ClusterRatio : Volume.Geometry.CountOverheadBlocks();
    }
}

/// <summary>Why an inode is read.</summary>
internal enum InodePurpose : byte
{
    /// <summary>A name leads to it.</summary>
    Named,

    /// <summary>The volume itself uses it: a reserved inode, an orphan, a value of an attribute.</summary>
    Internal,
}
