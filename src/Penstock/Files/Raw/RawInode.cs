using Penstock.Caching;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files.Raw;

/// <summary>A device as a file: no inode lock, no gate (Rule 1.8); its size never changes.</summary>
internal sealed class RawInode : Inode
{
    private readonly RawMapper _mapper;

    public RawInode(RawFileSystem fileSystem, in InodeAttributes attributes, long length)
        : base(fileSystem, new InodeNumber(1), attributes, length)
    {
        _mapper = new RawMapper(fileSystem.BlockSize, length);
        HasPages = true;
    }

    public override BlockMapper? Mapper => _mapper;

    public override ulong Sectors => (ulong)Size / 512;

    public override bool ProtectsItself => true;

    public override int OrphanCredits => 0;

    public override bool MayHaveCapabilities => false;

    public override ValueTask TruncateBlocksAsync(long newSize) => throw NotForDevices();

    public override ValueTask PunchBlocksAsync(FileBlock first, ulong count) => throw NotForDevices();

    public override ValueTask CollapseBlocksAsync(FileBlock first, ulong count) => throw NotForDevices();

    public override ValueTask InsertBlocksAsync(FileBlock first, ulong count) => throw NotForDevices();

    public override ValueTask ZeroBlocksAsync(FileBlock first, ulong count) => throw NotForDevices();

    public override ValueTask AddOrphanAsync(Handle handle) => ValueTask.CompletedTask;

    public override ValueTask RemoveOrphanAsync(Handle handle) => ValueTask.CompletedTask;

    public override ValueTask<byte[]?> GetAttributeAsync(FileName name) => new((byte[]?)null);

    public override ValueTask<IReadOnlyList<FileName>> ListAttributesAsync() => new([]);

    public override ValueTask SetAttributeAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition) => throw NotForDevices();

    public override ValueTask<byte[]> ReadLinkAsync() => throw new FileSystemException(IoFault.InvalidArgument, "a device is no symbolic link");

    protected override ValueTask StoreRecordAsync(Handle handle) => ValueTask.CompletedTask;

    private static FileSystemException NotForDevices() => new(IoFault.NotSupported, "a device does not change its size or its blocks");
}
