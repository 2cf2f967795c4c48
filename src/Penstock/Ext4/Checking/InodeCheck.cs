using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Judges one inode after the other. Used by one activity.</summary>
internal sealed partial class InodeCheck : IDisposable
{
    private const uint BadBlocksInode = 1;
    private const uint RootInode = 2;
    private const uint JournalInodeNumber = 8;

    private readonly CheckRun run;
    private readonly ContentTally tally;
    private readonly ExtentWalk extents;
    private readonly IndirectWalk indirect;
    private readonly AttributeCheck attributes;
    private readonly AlignedBuffer block;
    private readonly InodeRecord record;
    private readonly List<DirectoryPlace> places = [];
    private readonly List<MapRun> runs = [];
    private readonly List<ulong> mapBlocks = [];
    private uint number;
    private bool isBad;
    private bool isChanged;
    private bool isRemoved;

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
            run.Log.Problem("inode", $"inode {number}", "i_mode is 0: there is no root directory");
        }

        if (missing != RootInode)
        {
            run.Inodes.Set(missing, InodeTraits.InUse | InodeTraits.Bad, 0);
        }
    }

    public async ValueTask RunAsync(uint inode, ReadOnlyMemory<byte> bytes)
    {
        number = inode;
        (isBad, isChanged, isRemoved) = (false, false, false);
        record.Load(bytes.Span);
        if (inode == RootInode && record.Mode == 0)
        {
            Missing(inode);
            return;
        }

        CheckChecksum();
        await CheckAsync(inode).ConfigureAwait(false);
        if (isChanged)
        {
            await StoreAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask StoreAsync()
    {
        if ((isRemoved || isBad) && number == RootInode)
        {
            // What cannot be the root is made anew as one.
            record.Bytes.Clear();
            await run.Repair!.WriteInodeAsync(number, record).ConfigureAwait(false);
        }
        else if (isRemoved || isBad)
        {
            await run.Repair!.RemoveInodeAsync(number, record).ConfigureAwait(false);
        }
        else
        {
            await run.Repair!.WriteInodeAsync(number, record).ConfigureAwait(false);
        }
    }

    private async ValueTask CheckAsync(uint inode)
    {
        if (IsSpecial(inode))
        {
            await CheckReservedAsync().ConfigureAwait(false);
            return;
        }

        bool isReserved = inode < run.Geometry.FirstInode && inode != RootInode;
        if (record.LinkCount == 0 && inode != RootInode && !isReserved)
        {
            bool isLost = record.DeletionTime == 0 ? record.Mode != 0 : record.DeletionTime < run.Geometry.InodeCount && run.Superblock.HasLateTimes;
            if (isLost && Mends(record.DeletionTime == 0 ? "it is deleted, and i_dtime is 0" : $"it was part of a list of orphans, before inode {record.DeletionTime}"))
            {
                record.DeletionTime = (uint)run.Repair!.Now.Seconds;
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
            Mends($"checksum is 0x{record.StoredChecksum:x}, computed 0x{record.ComputeChecksum(new InodeNumber(number), run.Checksum):x}");
        }
    }

    private void CheckCommon()
    {
        if (number == RootInode && !record.IsDirectory && Mends("the root is no directory"))
        {
            isRemoved = true;
        }

        if (record.DeletionTime != 0 && Mends($"it is in use, and i_dtime is {record.DeletionTime}"))
        {
            record.DeletionTime = 0;
        }

        if (run.Geometry.InodeSize > InodeRecord.MinSize)
        {
            CheckExtraSize();
        }

        CheckHighWords();
        CheckFlags();
    }

    private void CheckExtraSize()
    {
        int extra = record.ExtraSize;
        int most = run.Geometry.InodeSize - InodeRecord.MinSize;
        if ((extra >= 4 || extra == 0) && extra % 4 == 0 && extra <= most)
        {
            return;
        }

        record.ExtraSize = 0;
        if (Mends($"i_extra_isize is {extra}"))
        {
            int wanted = run.Superblock.WantExtraInodeSize;
            record.ExtraSize = wanted is >= 4 && wanted % 4 == 0 && wanted <= most ? wanted : Math.Min(32, most);
        }
    }

    private void CheckHighWords()
    {
        Span<byte> raw = record.Bytes;
        if (U32(raw, 0x70) != 0 && Mends($"i_faddr is {U32(raw, 0x70)}"))
        {
            U32(raw, 0x70, 0);
        }

        if (U16(raw, 0x74) != 0 && !run.Has(ReadOnlyCompatFeatures.HugeFile)
            && Mends($"l_i_blocks_high is {U16(raw, 0x74)} on a volume without huge_file"))
        {
            U16(raw, 0x74, 0);
        }

        if (U16(raw, 0x76) != 0 && !run.Superblock.Is64Bit && Mends($"l_i_file_acl_high is {U16(raw, 0x76)} on a volume without 64bit"))
        {
            U16(raw, 0x76, 0);
        }

        if (record.IsDirectory && U32(raw, 0x6C) != 0 && !run.Has(IncompatFeatures.LargeDir)
            && Mends($"i_size_high of a directory is {U32(raw, 0x6C)}"))
        {
            U32(raw, 0x6C, 0);
        }
    }

    private void CheckFlags()
    {
        Refuse(InodeFlags.Imagic, run.Has(CompatFeatures.ImagicInodes), "the imagic flag is set");
        Refuse(InodeFlags.Index, run.Has(CompatFeatures.DirIndex), "the index flag is set on a volume without dir_index");
        Refuse(InodeFlags.Index, record.IsDirectory, "the index flag is set, and it is no directory");
        Refuse(InodeFlags.CaseFold, record.IsDirectory, "the casefold flag is set, and it is no directory");
        Refuse(InodeFlags.CaseFold, run.Has(IncompatFeatures.CaseFold), "the casefold flag is set on a volume without casefold");
        Refuse(InodeFlags.Extents, run.Has(IncompatFeatures.Extents), "the extents flag is set on a volume without extents");
        if (run.Repair is null)
        {
            Tell(record.Is(InodeFlags.InlineContents) && !run.Has(IncompatFeatures.InlineData), "the inline_data flag is set on a volume without inline_data");
        }

        bool isSpecial = record.Kind is not (InodeKind.Directory or InodeKind.Regular);
        Refuse(InodeFlags.Immutable | InodeFlags.AppendOnly, !isSpecial, "it is no file or directory, and immutable or append-only");
    }

    /// <summary>Tells of flags that must not be set, and clears them.</summary>
    private void Refuse(InodeFlags flags, bool isAllowed, string found)
    {
        if (!isAllowed && record.Is(flags) && Mends(found))
        {
            record.Flags &= ~flags;
        }
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
                isBad = true;
                Mends($"i_mode is 0x{record.Mode:x}");
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

    /// <summary>Tells a problem of this inode; true if it is to be put right in the record, which is then stored.</summary>
    private bool Mends(string found)
    {
        bool mends = run.Mends("inode", $"inode {number}", found);
        isChanged |= mends;
        return mends;
    }
}
