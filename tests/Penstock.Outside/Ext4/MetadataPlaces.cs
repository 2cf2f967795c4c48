using Penstock.Devices;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Outside.Ext4;

/// <summary>What a stretch of metadata is: decides which checksum belongs to it.</summary>
internal enum MetadataKind
{
    Superblock,
    Descriptor,
    BlockBitmap,
    InodeBitmap,
    Inode,
    Directory,
    ExtentBlock,
    AttributeBlock,
    JournalSuperblock,
    JournalBlock,
    Backup,
    MultipleMount,
    QuotaFile,
    OrphanFile,
    Contents,
    Count,
}

/// <summary>A stretch of metadata of a volume.</summary>
internal readonly record struct MetadataPlace(MetadataKind Kind, long Offset, int Length, uint Owner, uint Generation);

/// <summary>Finds the metadata of a sound volume.</summary>
internal sealed class MetadataPlaces
{
    private const int MostBlocksOfFile = 300;

    private readonly Superblock superblock;
    private readonly VolumeGeometry geometry;
    private readonly List<MetadataPlace> places = [];

    private MetadataPlaces(Superblock superblock)
    {
        this.superblock = superblock;
        geometry = new VolumeGeometry(superblock);
    }

    public static async Task<(Superblock Superblock, List<MetadataPlace> Places)> FindAsync(string image)
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(image, new DeviceOptions { IsReadOnly = true });
        var log = new ProblemLog(10);
        Superblock superblock = (await SuperblockSearch.ReadPrimaryAsync(device, log))!;
        var run = new CheckRun(new VolumeStore(SubBlockDevice.For(device, superblock.BlockSize), superblock.BlockSize), superblock, log, CheckOptions.Default)
        {
            SuperblockAt = new VolumeGeometry(superblock).SuperblockBlock,
        };
        await new DescriptorCheck(run).ReadAsync();
        var found = new MetadataPlaces(superblock);
        await found.FindAsync(run);
        return (superblock, found.places);
    }

    private async Task FindAsync(CheckRun run)
    {
        places.Add(new MetadataPlace(MetadataKind.Superblock, Superblock.VolumeOffset, Superblock.Size, 0, 0));
        FindBackups();
        for (uint group = 0; group < geometry.GroupCount; group++)
        {
            (VolumeBlock block, int offset) = geometry.LocateDescriptor(new BlockGroup(group));
            places.Add(new MetadataPlace(
                MetadataKind.Descriptor, ((long)block.Value * geometry.BlockSize) + offset, geometry.DescriptorSize, group, 0));
            AddBlock(MetadataKind.BlockBitmap, run.Descriptors[group].BlockBitmap.Value, group, 0);
            AddBlock(MetadataKind.InodeBitmap, run.Descriptors[group].InodeBitmap.Value, group, 0);
            for (uint index = 0; index < run.InodesToScan(group); index++)
            {
                await FindInodeAsync(run, (uint)geometry.InodeAt(new BlockGroup(group), index).Value);
            }
        }
    }

    private async Task FindInodeAsync(CheckRun run, uint number)
    {
        using var peek = new InodePeek(run);
        InodeRecord inode = (await peek.ReadAsync(number))!;
        if (inode.Mode == 0)
        {
            return;
        }

        InodeLocation location = geometry.Locate(new InodeNumber(number));
        ulong block = run.Descriptors[location.Group.Value].InodeTable.Value + location.TableBlock;
        long offset = ((long)block * geometry.BlockSize) + location.OffsetInBlock;
        places.Add(new MetadataPlace(MetadataKind.Inode, offset, geometry.InodeSize, number, inode.Generation));
        if (inode.AttributeBlock.Value != 0)
        {
            AddBlock(MetadataKind.AttributeBlock, inode.AttributeBlock.Value, number, inode.Generation);
        }

        bool isShortLink = inode.IsSymbolicLink && inode.Size < InodeRecord.BlockFieldSize;
        if (!inode.Is(InodeFlags.InlineContents) && !isShortLink && inode.Kind is InodeKind.Directory or InodeKind.Regular or InodeKind.SymbolicLink)
        {
            await FindBlocksAsync(run, number, inode);
        }
    }

    private async Task FindBlocksAsync(CheckRun run, uint number, InodeRecord inode)
    {
        var tally = new ContentTally(run) { IsSilent = true };
        tally.Start();
        (tally.Runs, tally.MapBlocks) = ([], []);
        using var extents = new ExtentWalk(run, tally);
        using var indirect = new IndirectWalk(run, tally);
        await (inode.Is(InodeFlags.Extents) ? extents.RunAsync(inode, number) : indirect.RunAsync(inode, number));
        foreach (ulong block in tally.MapBlocks.Take(MostBlocksOfFile))
        {
            AddBlock(MetadataKind.ExtentBlock, block, number, inode.Generation);
        }

        MetadataKind kind = KindOf(number, inode);
        int most = kind == MetadataKind.Contents ? 2 : MostBlocksOfFile;
        foreach (ulong block in tally.Runs.SelectMany(r => Enumerable.Range(0, (int)Math.Min(r.Count, MostBlocksOfFile)).Select(i => r.Volume + (uint)i)).Take(most))
        {
            AddBlock(kind, block, number, inode.Generation);
            kind = kind == MetadataKind.JournalSuperblock ? MetadataKind.JournalBlock : kind;
        }
    }

    private MetadataKind KindOf(uint number, InodeRecord inode) => inode.IsDirectory ? MetadataKind.Directory
        : number == superblock.JournalInode ? MetadataKind.JournalSuperblock
        : number == superblock.OrphanFileInode ? MetadataKind.OrphanFile
        : number == superblock.UserQuotaInode || number == superblock.GroupQuotaInode || number == superblock.ProjectQuotaInode ? MetadataKind.QuotaFile
        : MetadataKind.Contents;

    private void FindBackups()
    {
        for (uint number = 1; number < geometry.GroupCount; number++)
        {
            var group = new BlockGroup(number);
            for (uint i = 0; i < Math.Min(geometry.HeadBlocksOf(group), 3); i++)
            {
                AddBlock(MetadataKind.Backup, geometry.FirstBlockOf(group).Value + i, number, 0);
            }
        }

        if (superblock.Has(IncompatFeatures.Mmp))
        {
            AddBlock(MetadataKind.MultipleMount, superblock.MmpBlock, 0, 0);
        }
    }

    private void AddBlock(MetadataKind kind, ulong block, uint owner, uint generation) =>
        places.Add(new MetadataPlace(kind, (long)block * geometry.BlockSize, geometry.BlockSize, owner, generation));
}
