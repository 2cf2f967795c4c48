using Penstock.Caching;
using Penstock.Devices;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files.Raw;

/// <summary>
/// The file system of a device that is opened as a file: one inode, no names, no metadata. It brings direct, buffered and asynchronous I/O,
/// and their coherence, to the raw device.
/// </summary>
internal sealed class RawFileSystem : FileSystem
{
    private readonly FlushJournal _journal;

    public RawFileSystem(BlockDevice device, PageCache pageCache)
        : base(device, pageCache)
    {
        _journal = new FlushJournal(device);
        ushort mode = (ushort)(ModeBits.FromKind(FileKind.BlockDevice) | (device.IsReadOnly ? 0x100 : 0x180));
        Timestamp now = Now;
        var attributes = new InodeAttributes
        {
            Mode = mode,
            Links = 1,
            AccessTime = now,
            ModifyTime = now,
            ChangeTime = now,
            BirthTime = now,
            Flags = FileFlags.NoAccessTime,
        };
        Inode = new RawInode(this, attributes, device.Length);
        Inodes.AddNew(Inode);
    }

    public RawInode Inode { get; }

    public override MetadataJournal Journal => _journal;

    public override string FormatName => "raw";

    public override int BlockSize => Math.Max(512, Device.LogicalBlockSize);

    public override string? ReadOnlyReason => Device.IsReadOnly ? "the device is read-only" : null;

    public override InodeNumber RootNumber => default;

    public override long MaxFileSize => Device.Length;

    public override bool HasNanoseconds => true;

    public override VolumeStatistics Statistics => new(BlockSize, (ulong)(Device.Length / BlockSize), 0, 0, 1, 0);

    public override ValueTask<Inode> LoadInodeAsync(InodeNumber number) => throw new FileSystemException(IoFault.Stale);

    public override ValueTask<InodeNumber> LookupAsync(Inode directory, FileName name) => throw NoNames();

    public override ValueTask<Inode> CreateAsync(Inode directory, FileName name, NewInode what) => throw NoNames();

    public override ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewInode what) => throw NoNames();

    public override ValueTask LinkAsync(Inode directory, FileName name, Inode target) => throw NoNames();

    public override ValueTask UnlinkAsync(Inode directory, FileName name, Inode target) => throw NoNames();

    public override ValueTask RenameAsync(RenameRequest request) => throw NoNames();

    public override ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink) => throw NoNames();

    public override ValueTask DeleteInodeAsync(Inode inode) => ValueTask.CompletedTask;

    public override uint GetFormatFlags(Inode inode) => throw new FileSystemException(IoFault.UnknownRequest);

    public override ValueTask SetFormatFlagsAsync(Inode inode, uint flags) => throw new FileSystemException(IoFault.UnknownRequest);

    public override async ValueTask<long> TrimAsync(long offset, long length, long minimumLength)
    {
        IoResult result = await Device.DiscardAsync(offset, length).ConfigureAwait(false);
        return result.IsFailed ? throw new DeviceException(result.Fault, Device.Name, "the discard failed", offset) : length;
    }

    public override async ValueTask DisposeAsync()
    {
        IoFault fault = await Inode.Pages!.WriteBackAsync(0, long.MaxValue).ConfigureAwait(false);
        IoFault lost = await FileSystemWriteback.DropAsync(this).ConfigureAwait(false);
        fault = fault == IoFault.None ? lost : fault;
        if (fault != IoFault.None)
        {
            throw new DeviceException(fault, Device.Name, "the cached data could not be written back");
        }

        if (!IsReadOnly)
        {
            await _journal.CommitAsync(default).ConfigureAwait(false);
        }
    }

    private static FileSystemException NoNames() => new(IoFault.NotSupported, "a device has no names in it");
}
