using System.Runtime.InteropServices;
using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>ioctl: inode flags, projects and trim.</content>
internal sealed partial class VolumeHandler
{
    /// <summary>FS_*_FL beside the FS_XFLAG_* that means the same.</summary>
    private static readonly (uint Flag, uint Extended)[] s_sameFlags =
    [
        (0x00000008, 0x00000020), // sync
        (0x00000010, 0x00000008), // immutable
        (0x00000020, 0x00000010), // append only
        (0x00000040, 0x00000080), // no dump
        (0x00000080, 0x00000040), // no access time
        (0x20000000, 0x00000200), // children inherit the project
    ];

    public override ValueTask<Errno> IoCtlAsync(FuseRequest request)
    {
        Inode inode = NodeOf(request);
        return (LinuxIoctl)request.Arguments<FuseIoCtlIn>().Command switch
        {
            LinuxIoctl.GetFlags => new(ReplyWord(request, _fileSystem.GetFormatFlags(inode))),
            LinuxIoctl.GetVersion => new(ReplyWord(request, inode.Attributes.Generation)),
            LinuxIoctl.SetFlags => request.Tail.Length >= sizeof(uint)
                ? SetFlagsAsync(request, inode, MemoryMarshal.Read<uint>(request.Tail), inode.Attributes.ProjectId)
                : new(Errno.EINVAL),
            LinuxIoctl.GetExtended => new(ReplyIoctl(request, ExtendedOf(inode))),
            LinuxIoctl.SetExtended => SetExtendedAsync(request, inode),
            LinuxIoctl.Trim => TrimAsync(request),
            LinuxIoctl.GetLabel when _fileSystem.Label is { } label => new(ReplyLabel(request, label)),
            _ => new(Errno.ENOTTY),
        };
    }

    private async ValueTask<Errno> SetFlagsAsync(FuseRequest request, Inode inode, uint flags, uint project)
    {
        RequireWritable();
        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (project != inode.Attributes.ProjectId)
            {
                await _fileSystem.SetProjectAsync(inode, project).ConfigureAwait(false);
            }

            await _fileSystem.SetFormatFlagsAsync(inode, flags).ConfigureAwait(false);
            FileTimes.Changed(inode);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }

        // The kernel does not know that an ioctl changes a time; who asks for it next must see it.
        await request.Notifier.InvalidateInodeAsync(request.Header.NodeId, -1, 0).ConfigureAwait(false);
        return request.Reply(default(FuseIoCtlOut));
    }

    private ValueTask<Errno> SetExtendedAsync(FuseRequest request, Inode inode)
    {
        if (request.Tail.Length < Marshal.SizeOf<FsXAttr>())
        {
            return new(Errno.EINVAL);
        }

        FsXAttr wanted = MemoryMarshal.Read<FsXAttr>(request.Tail);
        if (wanted.ExtentSize != 0 || wanted.CopyExtentSize != 0)
        {
            return new(Errno.EOPNOTSUPP);
        }

        uint flags = _fileSystem.GetFormatFlags(inode);
        foreach ((uint flag, uint extended) in s_sameFlags)
        {
            flags = (wanted.Flags & extended) != 0 ? flags | flag : flags & ~flag;
        }

        return SetFlagsAsync(request, inode, flags, wanted.ProjectId);
    }

    private async ValueTask<Errno> TrimAsync(FuseRequest request)
    {
        if (request.Header.Uid != 0)
        {
            return Errno.EPERM;
        }

        if (request.Tail.Length < Marshal.SizeOf<FsTrimRange>())
        {
            return Errno.EINVAL;
        }

        RequireWritable();
        FsTrimRange range = MemoryMarshal.Read<FsTrimRange>(request.Tail);
        if (range.Start > long.MaxValue)
        {
            return Errno.EINVAL;
        }

        long length = (long)Math.Min(range.Length, (ulong)long.MaxValue - range.Start);
        long minimum = (long)Math.Min(range.MinimumLength, long.MaxValue);
        range.Length = (ulong)await _fileSystem.TrimAsync((long)range.Start, length, minimum).ConfigureAwait(false);
        return ReplyIoctl(request, range);
    }

    private FsXAttr ExtendedOf(Inode inode)
    {
        uint flags = _fileSystem.GetFormatFlags(inode);
        uint extended = 0;
        foreach ((uint flag, uint same) in s_sameFlags)
        {
            extended |= (flags & flag) != 0 ? same : 0;
        }

        return new FsXAttr { Flags = extended, ProjectId = inode.Attributes.ProjectId };
    }

    /// <summary>The commands are declared with a long, and used with an int: as many bytes as asked for, at most eight.</summary>
    private static Errno ReplyWord(FuseRequest request, uint value)
    {
        ulong word = value;
        request.Reply(default(FuseIoCtlOut));
        request.AppendReply(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in word))[..(int)Math.Min(request.Arguments<FuseIoCtlIn>().OutSize, 8)]);
        return Errno.None;
    }

    /// <summary>The label in 256 bytes, with zeros after it.</summary>
    private static Errno ReplyLabel(FuseRequest request, ReadOnlySpan<byte> label)
    {
        Span<byte> field = stackalloc byte[256];
        field.Clear();
        label[..Math.Min(label.Length, field.Length - 1)].CopyTo(field);
        request.Reply(default(FuseIoCtlOut));
        request.AppendReply(field[..(int)Math.Min(request.Arguments<FuseIoCtlIn>().OutSize, (uint)field.Length)]);
        return Errno.None;
    }

    private static Errno ReplyIoctl<T>(FuseRequest request, in T argument)
        where T : unmanaged
    {
        request.Reply(default(FuseIoCtlOut));
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in argument));
        request.AppendReply(bytes[..(int)Math.Min(request.Arguments<FuseIoCtlIn>().OutSize, (uint)bytes.Length)]);
        return Errno.None;
    }
}
