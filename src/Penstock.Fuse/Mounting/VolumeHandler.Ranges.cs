using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>
/// Ranges of open files: fallocate, holes, copies. These requests do not say whether the caller may keep setuid and setgid: where he may not, the kernel asks for
/// their removal before, by a SETATTR without anything to set.
/// </content>
internal sealed partial class VolumeHandler
{
    /// <summary>A copy is answered in pieces, so that a caller can be interrupted between them.</summary>
    private const ulong MostToCopyAtOnce = 64 * 1024 * 1024;

    public override async ValueTask<Errno> FAllocateAsync(FuseRequest request)
    {
        RequireWritable();
        FuseFAllocateIn allocate = request.Arguments<FuseFAllocateIn>();
        Inode inode = _files[allocate.Handle].Inode;
        if (!IsRange(allocate.Offset, allocate.Length))
        {
            return Errno.EFBIG;
        }

        long offset = (long)allocate.Offset;
        long length = (long)allocate.Length;
        bool keepsSize = (allocate.Mode & LinuxAllocateMode.KeepSize) != 0;
        if (!keepsSize)
        {
            await EndPages.DropBeforeGrowthAsync(request.Notifier, request.Header.NodeId, inode, offset + length).ConfigureAwait(false);
        }

        ValueTask task = (allocate.Mode & ~LinuxAllocateMode.KeepSize) switch
        {
            LinuxAllocateMode.None => FallocatePath.AllocateAsync(inode, offset, length, keepsSize, keepsSetId: true),
            LinuxAllocateMode.PunchHole when keepsSize => FallocatePath.PunchAsync(inode, offset, length, keepsSetId: true),
            LinuxAllocateMode.ZeroRange => FallocatePath.ZeroRangeAsync(inode, offset, length, keepsSize, keepsSetId: true),

            // The kernel refuses collapse and insert on FUSE before they get here: it could not keep its own pages right.
            _ => throw new FileSystemException(IoFault.NotSupported),
        };
        await task.ConfigureAwait(false);
        NoteFreed();
        return Errno.None;
    }

    public override async ValueTask<Errno> LSeekAsync(FuseRequest request)
    {
        FuseLSeekIn seek = request.Arguments<FuseLSeekIn>();
        Inode inode = _files[seek.Handle].Inode;
        if (seek.Offset > long.MaxValue)
        {
            return Errno.ENXIO;
        }

        long offset;
        switch (seek.Whence)
        {
            case FuseLSeekIn.Data:
                offset = await ExtentPath.SeekDataAsync(inode, (long)seek.Offset).ConfigureAwait(false);
                break;
            case FuseLSeekIn.Hole:
                offset = await ExtentPath.SeekHoleAsync(inode, (long)seek.Offset).ConfigureAwait(false);
                break;
            default:
                return Errno.EINVAL;
        }

        return request.Reply(new FuseLSeekOut { Offset = (ulong)offset });
    }

    public override async ValueTask<Errno> CopyFileRangeAsync(FuseRequest request)
    {
        IoResult result = await CopyAsync(request).ConfigureAwait(false);
        return result.IsFailed && result.Bytes == 0
            ? Errno.From(result.Fault)
            : request.Reply(new FuseWriteOut { Size = (uint)result.Bytes });
    }

    public override async ValueTask<Errno> CopyFileRange64Async(FuseRequest request)
    {
        IoResult result = await CopyAsync(request).ConfigureAwait(false);
        return result.IsFailed && result.Bytes == 0
            ? Errno.From(result.Fault)
            : request.Reply(new FuseCopyFileRangeOut { BytesCopied = (ulong)result.Bytes });
    }

    private async ValueTask<IoResult> CopyAsync(FuseRequest request)
    {
        RequireWritable();
        FuseCopyFileRangeIn copy = request.Arguments<FuseCopyFileRangeIn>();
        Inode source = _files[copy.HandleIn].Inode;
        Inode target = _files[copy.HandleOut].Inode;
        ulong length = Math.Min(copy.Length, MostToCopyAtOnce);
        if (copy.Flags != 0 || !IsRange(copy.OffsetIn, length) || !IsRange(copy.OffsetOut, length))
        {
            return IoResult.Failed(IoFault.InvalidArgument);
        }

        await EndPages.DropBeforeGrowthAsync(request.Notifier, _nodes.ToNode(target.Number), target, (long)copy.OffsetOut).ConfigureAwait(false);
        return await CopyPath.CopyAsync(source, (long)copy.OffsetIn, target, (long)copy.OffsetOut, (long)length, keepsSetId: true).ConfigureAwait(false);
    }

    private static bool IsRange(ulong offset, ulong length) => offset <= long.MaxValue && length <= (ulong)long.MaxValue - offset;
}
