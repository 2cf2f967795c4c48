using Penstock.Ext4.Format;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Judges one inode after the other. Used by one activity.</summary>
internal sealed partial class InodeCheck : IDisposable
{
    private const uint BadBlocksInode = 1;
    private const uint RootInode = 2;
    private const uint ResizeInodeNumber = 7;
    private const uint JournalInodeNumber = 8;

    private readonly CheckRun run;
    private readonly ContentTally tally;
    private readonly ExtentWalk extents;
    private readonly IndirectWalk indirect;
    private readonly AttributeCheck attributes;
    private readonly AlignedBuffer block;
    private readonly InodeRecord record;
    private readonly List<DirectoryPlace> places = [];
    private uint number;
    private bool isBad;

    public InodeCheck(CheckRun run)
    {
        this.run = run;
        tally = new ContentTally(run);
        extents = new ExtentWalk(run, tally);
        indirect = new IndirectWalk(run, tally);
        attributes = new AttributeCheck(run);
        block = run.Store.Allocate(1);
        record = InodeRecord.Create(run.Geometry.InodeSize);
    }

    public long LargeFiles { get; private set; }

    public void Dispose()
    {
        extents.Dispose();
        indirect.Dispose();
        attributes.Dispose();
        ((IDisposable)block).Dispose();
    }

    /// <summary>An inode of zeros that the volume cannot do without.</summary>
    public void Missing(uint missing)
    {
        number = missing;
        if (missing == RootInode)
        {
            Report("i_mode is 0: there is no root directory");
        }

        if (missing != RootInode)
        {
            run.Inodes.Set(missing, InodeTraits.InUse | InodeTraits.Bad, 0);
        }
    }

    public async ValueTask RunAsync(uint inode, ReadOnlyMemory<byte> bytes)
    {
        number = inode;
        isBad = false;
        record.Load(bytes.Span);
        CheckChecksum();
        if (IsSpecial(inode))
        {
            await CheckReservedAsync().ConfigureAwait(false);
            return;
        }

        bool isReserved = inode < run.Geometry.FirstInode && inode != RootInode;
        if (record.LinkCount == 0 && inode != RootInode && !isReserved)
        {
            if (record.DeletionTime == 0 && record.Mode != 0)
            {
                Report("it is deleted, and i_dtime is 0");
            }

            return;
        }

        if (isReserved)
        {
            await CheckReservedAsync().ConfigureAwait(false);
            return;
        }

        CheckCommon();
        await CheckKindAsync().ConfigureAwait(false);
    }

    private void CheckChecksum()
    {
        if (run.Checksum.IsUsed && record.StoredChecksum != record.ComputeChecksum(new InodeNumber(number), run.Checksum))
        {
            Report($"checksum is 0x{record.StoredChecksum:x}, computed 0x{record.ComputeChecksum(new InodeNumber(number), run.Checksum):x}");
        }
    }

    private void CheckCommon()
    {
        if (number == RootInode && !record.IsDirectory)
        {
            Report("the root is no directory");
        }

        if (record.DeletionTime != 0)
        {
            Report($"it is in use, and i_dtime is {record.DeletionTime}");
        }

        if (run.Geometry.InodeSize > InodeRecord.MinSize)
        {
            int extra = record.ExtraSize;
            if (extra < 4 && extra != 0 || extra % 4 != 0 || extra > run.Geometry.InodeSize - InodeRecord.MinSize)
            {
                Report($"i_extra_isize is {extra}");
                record.ExtraSize = 0;
            }
        }

        CheckHighWords();
        CheckFlags();
    }

    private void CheckHighWords()
    {
        ReadOnlySpan<byte> raw = record.Bytes;
        if (U32(raw, 0x70) != 0)
        {
            Report($"i_faddr is {U32(raw, 0x70)}");
        }

        if (U16(raw, 0x74) != 0 && !run.Has(ReadOnlyCompatFeatures.HugeFile))
        {
            Report($"l_i_blocks_high is {U16(raw, 0x74)} on a volume without huge_file");
        }

        if (U16(raw, 0x76) != 0 && !run.Superblock.Is64Bit)
        {
            Report($"l_i_file_acl_high is {U16(raw, 0x76)} on a volume without 64bit");
        }

        if (record.IsDirectory && U32(raw, 0x6C) != 0 && !run.Has(IncompatFeatures.LargeDir))
        {
            Report($"i_size_high of a directory is {U32(raw, 0x6C)}");
        }
    }

    private void CheckFlags()
    {
        Require(!record.Is(InodeFlags.Imagic) || run.Has(CompatFeatures.ImagicInodes), "the imagic flag is set");
        bool isIndex = record.Is(InodeFlags.Index);
        Require(!isIndex || run.Has(CompatFeatures.DirIndex), "the index flag is set on a volume without dir_index");
        Require(!isIndex || record.IsDirectory, "the index flag is set, and it is no directory");
        bool isFolded = record.Is(InodeFlags.CaseFold);
        Require(!isFolded || record.IsDirectory, "the casefold flag is set, and it is no directory");
        Require(!isFolded || run.Has(IncompatFeatures.CaseFold), "the casefold flag is set on a volume without casefold");
        Require(!record.Is(InodeFlags.Extents) || run.Has(IncompatFeatures.Extents), "the extents flag is set on a volume without extents");
        Require(
            !record.Is(InodeFlags.InlineContents) || run.Has(IncompatFeatures.InlineData), "the inline_data flag is set on a volume without inline_data");
        bool isSpecial = record.Kind is not (InodeKind.Directory or InodeKind.Regular);
        bool isFixed = record.Is(InodeFlags.Immutable) || record.Is(InodeFlags.AppendOnly);
        Require(!isSpecial || !isFixed, "it is no file or directory, and immutable or append-only");
    }

    private async ValueTask CheckKindAsync()
    {
        tally.Start();
        switch (record.Kind)
        {
            case InodeKind.Directory:
                await CheckContentsAsync().ConfigureAwait(false);
                await AddDirectoryAsync().ConfigureAwait(false);
                Mark(DirectoryFileType.Directory);
                break;
            case InodeKind.Regular:
                await CheckContentsAsync().ConfigureAwait(false);
                Mark(DirectoryFileType.Regular);
                break;
            case InodeKind.SymbolicLink:
                await CheckSymbolicLinkAsync().ConfigureAwait(false);
                Mark(DirectoryFileType.SymbolicLink);
                break;
            case InodeKind.CharacterDevice or InodeKind.BlockDevice or InodeKind.Fifo or InodeKind.Socket:
                await CheckDeviceAsync().ConfigureAwait(false);
                Mark(record.Kind switch
                {
                    InodeKind.CharacterDevice => DirectoryFileType.CharacterDevice,
                    InodeKind.BlockDevice => DirectoryFileType.BlockDevice,
                    InodeKind.Fifo => DirectoryFileType.Fifo,
                    _ => DirectoryFileType.Socket,
                });
                break;
            default:
                Report($"i_mode is 0x{record.Mode:x}");
                isBad = true;
                await CheckContentsAsync().ConfigureAwait(false);
                Mark(DirectoryFileType.Unknown);
                break;
        }
    }

    private void Mark(DirectoryFileType kind)
    {
        InodeTraits traits = (InodeTraits)kind | InodeTraits.InUse;
        traits |= isBad ? InodeTraits.Bad : 0;
        traits |= record.Is(InodeFlags.Encrypted) ? InodeTraits.Encrypted : 0;
        traits |= record.Is(InodeFlags.ExtendedAttributeInode) && kind == DirectoryFileType.Regular ? InodeTraits.AttributeValue : 0;
        run.Inodes.Set(number, traits, record.LinkCount);
        if ((traits & InodeTraits.AttributeValue) != 0)
        {
            run.Attributes.NoteValue(number, AttributeValueInode.ReadReferenceCount(record));
        }
    }

    private void Require(bool holds, string found)
    {
        if (!holds)
        {
            Report(found);
        }
    }

    private void Report(string found) => run.Log.Problem("inode", $"inode {number}", found);
}
