using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>
/// Makes an ext2, ext3 or ext4 volume on a device, as mke2fs does. The same options, with identity, seed and time given, make the same bytes.
/// Nothing on the device is recognised as a volume before all of it is durable.
/// </summary>
internal static class Ext4Maker
{
    private const int WipedBytes = 128 * 1024;
    private const ushort NoMountLimit = ushort.MaxValue;
    private const ushort ContinueOnError = 1;
    private const uint DefaultMountOptions = 0x0C; // user_xattr, acl
    private const ushort ExtraInodeSize = 32;
    private const long NanosecondsPerSecond = 1_000_000_000;
    private const int BytesPerKilobyte = 1024;

    /// <summary>Makes the volume.</summary>
    /// <returns>Its superblock.</returns>
    /// <exception cref="FileSystemException">The options contradict each other or the device's length.</exception>
    /// <exception cref="DeviceException">The device failed; what is on it is no volume.</exception>
    public static async ValueTask<Superblock> MakeAsync(BlockDevice device, MakingOptions options)
    {
        Superblock superblock = MakingSizes.Choose(options, device.Length);
        Identify(superblock, options, device);
        uint journalBlocks = ChooseJournal(superblock, options);
        SuperblockValidation.CheckFields(superblock, "the chosen sizes");

        var writer = new MakingWriter(device);
        await using (writer.ConfigureAwait(false))
        {
            await ClearAsync(device, writer, superblock, options).ConfigureAwait(false);
            var context = new MakingContext(superblock, writer, superblock.Created);
            await MakeFilesAsync(context, journalBlocks).ConfigureAwait(false);
            var groups = new GroupMaker(context, options.LeavesInodeTables);
            await groups.MakeAsync().ConfigureAwait(false);
            Count(context, groups);
            await WriteSuperblocksAsync(context, groups.Copies).ConfigureAwait(false);
        }

        return superblock;
    }

    private static void Identify(Superblock superblock, MakingOptions options, BlockDevice device)
    {
        superblock.Uuid = options.Uuid ?? NewGuid(device);
        superblock.HashSeed = options.HashSeed ?? NewGuid(device);
        superblock.VolumeName = options.Label;
        Timestamp now = options.Time ?? new Timestamp(device.Scheduler.UnixNanoseconds / NanosecondsPerSecond);
        superblock.Created = superblock.LastWritten = superblock.LastChecked = new Timestamp(now.Seconds);
        superblock.State = VolumeStates.Clean;
        superblock.ErrorPolicy = ContinueOnError;
        superblock.MaxMountCount = NoMountLimit;
        superblock.DefaultMountOptions = DefaultMountOptions;
        superblock.DefaultHashVersion = DirectoryHashVersion.HalfMd4;
        superblock.Flags = VolumeFlags.SignedDirectoryHash;
        superblock.ChecksumType = superblock.HasMetadataChecksums ? Superblock.Crc32CChecksumType : (byte)0;
        if (superblock.Has(IncompatFeatures.MetadataCsumSeed))
        {
            superblock.ChecksumSeedField = Crc32C.Append(Crc32C.Start, superblock.Uuid.ToByteArray(bigEndian: true));
        }

        if (superblock.InodeSize > InodeRecord.MinSize)
        {
            superblock.MinExtraInodeSize = superblock.WantExtraInodeSize = ExtraInodeSize;
        }

        FirstExtras.Describe(superblock);
    }

    private static Guid NewGuid(BlockDevice device)
    {
        const int Version = 6;
        const int Variant = 8;
        Span<byte> bytes = stackalloc byte[16];
        device.Scheduler.FillRandom(bytes);
        bytes[Version] = (byte)((bytes[Version] & 0x0F) | 0x40);
        bytes[Variant] = (byte)((bytes[Variant] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private static uint ChooseJournal(Superblock superblock, MakingOptions options)
    {
        if (!superblock.Has(CompatFeatures.HasJournal))
        {
            return 0;
        }

        uint blocks = FirstJournal.ChooseBlocks(options, superblock);
        if (blocks == 0)
        {
            // As mke2fs does: so small a volume comes without a journal.
            superblock.Features = superblock.Features.Without(CompatFeatures.HasJournal).Without(CompatFeatures.OrphanFile);
        }

        return blocks;
    }

    private static async ValueTask ClearAsync(BlockDevice device, MakingWriter writer, Superblock superblock, MakingOptions options)
    {
        long length = (long)superblock.BlockCount * superblock.BlockSize;
        if (options.DiscardsFirst && device.CanDiscard)
        {
            // A device that refuses keeps its contents: nothing below relies on it.
            await device.DiscardAsync(0, length & ~((long)device.LogicalBlockSize - 1)).ConfigureAwait(false);
        }

        // The superblock of whatever was here goes first, and with it the marks of other formats at the start.
        await writer.ZeroAsync(0, Math.Min(WipedBytes, length) & ~((long)device.LogicalBlockSize - 1)).ConfigureAwait(false);
        await writer.FlushAsync().ConfigureAwait(false);
    }

    private static async ValueTask MakeFilesAsync(MakingContext context, uint journalBlocks)
    {
        await FirstDirectories.MakeAsync(context).ConfigureAwait(false);
        if (context.Superblock.Has(CompatFeatures.ResizeInode))
        {
            await ResizeInode.MakeAsync(context).ConfigureAwait(false);
        }

        if (journalBlocks > 0)
        {
            await FirstJournal.MakeAsync(context, journalBlocks).ConfigureAwait(false);
        }

        await FirstExtras.MakeAsync(context).ConfigureAwait(false);
    }

    private static void Count(MakingContext context, GroupMaker groups)
    {
        Superblock superblock = context.Superblock;
        uint ratio = (uint)context.Geometry.ClusterRatio;
        superblock.FreeBlockCount = groups.FreeClusters * ratio;
        superblock.FreeInodeCount = checked((uint)groups.FreeInodes);
        ulong journalClusters = (context.JournalBlocks + ratio - 1) / ratio;
        ulong overhead = groups.OverheadClusters + journalClusters + superblock.FirstDataBlock;
        superblock.OverheadClusters = overhead <= uint.MaxValue ? (uint)overhead : 0;
        superblock.KilobytesWritten = (ulong)context.Writer.Written / BytesPerKilobyte;
    }

    /// <summary>The backups, a flush, then the primary: only that makes a volume of it.</summary>
    private static async ValueTask WriteSuperblocksAsync(MakingContext context, IReadOnlyList<VolumeBlock> copies)
    {
        VolumeGeometry geometry = context.Geometry;
        byte[] block = new byte[geometry.BlockSize];
        foreach (VolumeBlock copy in copies)
        {
            if (copy == geometry.SuperblockBlock)
            {
                continue;
            }

            Superblock backup = context.Superblock.Clone();
            backup.BlockGroupNumber = (ushort)geometry.GroupOf(copy).Value;
            block.AsSpan().Clear();
            backup.WriteTo(block);
            await context.WriteBlockAsync(copy, block).ConfigureAwait(false);
        }

        await context.Writer.FlushAsync().ConfigureAwait(false);
        bool sharesBlock = geometry.BlockSize > Superblock.VolumeOffset;
        block.AsSpan().Clear();
        context.Superblock.WriteTo(block.AsSpan(sharesBlock ? Superblock.VolumeOffset : 0));
        await context.WriteBlockAsync(geometry.SuperblockBlock, block).ConfigureAwait(false);
        await context.Writer.FlushAsync().ConfigureAwait(false);
    }
}
