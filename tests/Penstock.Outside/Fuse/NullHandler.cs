using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Outside.Fuse;

/// <summary>The least that can be mounted: a directory with one file in memory. Remembers how it was asked.</summary>
internal sealed class NullHandler : FuseHandler
{
    public const ulong FileNode = 2;

    private readonly byte[] _data = new byte[4 * 1024 * 1024];
    private readonly object _lock = new();
    private ulong _size = 5;

    public NullHandler() => "hello"u8.CopyTo(_data);

    public List<(string Call, ulong Offset, uint Size, LinuxOpenFlags Flags)> Log { get; } = [];

    public override ValueTask<Errno> LookupAsync(FuseRequest request)
    {
        if (!request.Name.SequenceEqual("file"u8))
        {
            return new(Errno.ENOENT);
        }

        return new(request.Reply(new FuseEntryOut { NodeId = FileNode, EntryValid = 60, AttrValid = 60, Attr = Attributes(FileNode) }));
    }

    public override ValueTask<Errno> GetAttrAsync(FuseRequest request) =>
        new(request.Reply(new FuseAttrOut { AttrValid = 60, Attr = Attributes(request.Header.NodeId) }));

    public override ValueTask<Errno> SetAttrAsync(FuseRequest request)
    {
        FuseSetAttrIn change = request.Arguments<FuseSetAttrIn>();
        if ((change.Valid & FuseSetAttrValid.Size) != 0)
        {
            lock (_lock)
            {
                _size = change.Size;
            }
        }

        return new(request.Reply(new FuseAttrOut { AttrValid = 60, Attr = Attributes(request.Header.NodeId) }));
    }

    public override ValueTask<Errno> OpenAsync(FuseRequest request) => new(request.Reply(new FuseOpenOut { Handle = 7 }));

    public override ValueTask<Errno> OpenDirAsync(FuseRequest request) => new(request.Reply(new FuseOpenOut { Handle = 8 }));

    public override async ValueTask<Errno> ReadAsync(FuseRequest request)
    {
        FuseReadIn read = request.Arguments<FuseReadIn>();
        await Task.Yield();
        lock (_lock)
        {
            Log.Add(("read", read.Offset, read.Size, read.Flags));
            int length = (int)Math.Min(read.Size, read.Offset < _size ? _size - read.Offset : 0);
            _data.AsSpan((int)Math.Min(read.Offset, _size), length).CopyTo(request.RentPayload((int)read.Size).Span);
            return request.ReplyPayload(length);
        }
    }

    public override ValueTask<Errno> WriteAsync(FuseRequest request)
    {
        FuseWriteIn write = request.Arguments<FuseWriteIn>();
        lock (_lock)
        {
            Log.Add(("write", write.Offset, write.Size, write.Flags));
            request.WriteData.Span.CopyTo(_data.AsSpan((int)write.Offset));
            _size = Math.Max(_size, write.Offset + write.Size);
        }

        return new(request.Reply(new FuseWriteOut { Size = write.Size }));
    }

    public override ValueTask<Errno> ReadDirAsync(FuseRequest request)
    {
        FuseReadIn read = request.Arguments<FuseReadIn>();
        var reply = new DirectoryReply(request.RentPayload((int)read.Size).Span);
        if (read.Offset == 0)
        {
            reply.TryAdd(1, 1, 4, "."u8);
            reply.TryAdd(1, 2, 4, ".."u8);
            reply.TryAdd(FileNode, 3, 8, "file"u8);
        }

        return new(request.ReplyPayload(reply.Length));
    }

    public override ValueTask<Errno> ReadDirPlusAsync(FuseRequest request)
    {
        FuseReadIn read = request.Arguments<FuseReadIn>();
        var reply = new DirectoryReply(request.RentPayload((int)read.Size).Span);
        if (read.Offset == 0)
        {
            var entry = new FuseEntryOut { NodeId = FileNode, EntryValid = 60, AttrValid = 60, Attr = Attributes(FileNode) };
            reply.TryAddPlus(entry, FileNode, 1, 8, "file"u8);
        }

        return new(request.ReplyPayload(reply.Length));
    }

    public override ValueTask<Errno> StatFsAsync(FuseRequest request) =>
        new(request.Reply(new FuseStatFsOut { Blocks = 1000, BlocksFree = 500, BlockSize = 4096, FragmentSize = 4096, NameLength = 255 }));

    public override ValueTask<Errno> FlushAsync(FuseRequest request) => new(Errno.None);

    public override ValueTask<Errno> ReleaseAsync(FuseRequest request) => new(Errno.None);

    public override ValueTask<Errno> ReleaseDirAsync(FuseRequest request) => new(Errno.None);

    public override ValueTask<Errno> FSyncAsync(FuseRequest request) => new(Errno.EIO);

    private FuseAttr Attributes(ulong node)
    {
        lock (_lock)
        {
            return node == FileNode
                ? new FuseAttr { Inode = node, Mode = 0x81a4, Links = 1, Size = _size, Blocks = 8, ModifyTime = -1, BlockSize = 4096 }
                : new FuseAttr { Inode = node, Mode = 0x41ed, Links = 2, BlockSize = 4096 };
        }
    }
}
