using Penstock.Execution;
using System.Runtime.CompilerServices;
using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Memory;

namespace Penstock.Fuse.Mounting;

/// <content>Open files: opening, reading, writing, syncing.</content>
internal sealed partial class VolumeHandler
{
    // Never FOPEN_DIRECT_IO: O_DIRECT is decided for each request, so that such a file can still be mapped. The cache is kept over opens,
    // since whatever changes the file behind the kernel tells it so. Closing needs no request: there is nothing to do then.
    private const FuseOpenReply OpenReply = FuseOpenReply.KeepCache | FuseOpenReply.NoFlush;

    public override async ValueTask<Errno> OpenAsync(FuseRequest request)
    {
        FuseOpenIn open = request.Arguments<FuseOpenIn>();
        Inode inode = NodeOf(request);
        RequireOpenable(inode, open.Flags);
        _fileSystem.Inodes.Reference(inode);
        OpenFile file = NewOpenFile(inode, open.Flags);
        try
        {
            if ((open.Flags & LinuxOpenFlags.Truncate) != 0)
            {
                await TruncateAsync(request, inode, 0, keepsPrivileges: (open.OpenFlags & FuseOpenIn.KillSuidGid) == 0).ConfigureAwait(false);
            }
        }
        catch
        {
            await file.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return request.Reply(new FuseOpenOut { Handle = _files.Add(file), OpenFlags = OpenReply });
    }

    public override async ValueTask<Errno> CreateAsync(FuseRequest request)
    {
        RequireWritable();
        FuseCreateIn create = request.Arguments<FuseCreateIn>();
        NewNode what = NewNodeOf(request, FileKind.Regular, create.Mode, create.Umask);
        bool isExclusive = (create.Flags & LinuxOpenFlags.Exclusive) != 0;
        (Inode inode, bool isNew) = await _names.CreateAsync(NodeOf(request), NameOf(request), what, isExclusive).ConfigureAwait(false);
        try
        {
            if (!isNew)
            {
                RequireOpenable(inode, create.Flags);
                if ((create.Flags & LinuxOpenFlags.Truncate) != 0)
                {
                    await TruncateAsync(request, inode, 0, keepsPrivileges: (create.OpenFlags & FuseOpenIn.KillSuidGid) == 0).ConfigureAwait(false);
                }
            }
        }
        catch
        {
            await _fileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
            throw;
        }

        return await ReplyOpenEntryAsync(request, inode, create.Flags).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> TmpFileAsync(FuseRequest request)
    {
        RequireWritable();
        FuseCreateIn create = request.Arguments<FuseCreateIn>();
        NewNode what = NewNodeOf(request, FileKind.Regular, create.Mode, create.Umask);
        Inode inode = await _names.CreateUnnamedAsync(NodeOf(request), what).ConfigureAwait(false);
        return await ReplyOpenEntryAsync(request, inode, create.Flags).ConfigureAwait(false);
    }

    public override ValueTask<Errno> ReadAsync(FuseRequest request)
    {
        FuseReadIn read = request.Arguments<FuseReadIn>();
        OpenFile file = _files[read.Handle];
        if (read.Offset > (ulong)long.MaxValue - read.Size)
        {
            return new(Errno.EINVAL);
        }

        bool isDirect = (read.Flags & LinuxOpenFlagsOfThisMachine.Direct) != 0;
        IoSegment memory = request.RentPayloadSegment((int)Math.Min(read.Size, (uint)_maxRead));
        if (!isDirect)
        {
            _kernelCopies.NoteRead(request.Header.NodeId, (long)read.Offset, memory.Length);
            _endPages.NoteRead(request.Header.NodeId, file.Inode, (long)read.Offset, memory.Length);
        }

        if (!isDirect && BufferedPath.TryReadCached(file.Inode, memory.Bytes, (long)read.Offset, out int bytes))
        {
            return new(request.ReplyPayload(bytes));
        }

        IoOptions options = isDirect ? IoOptions.Direct : IoOptions.None;
        if (IsReadOnly || (read.Flags & LinuxOpenFlags.NoAccessTime) != 0)
        {
            options |= IoOptions.NoAccessTime;
        }

        SegmentList list = SegmentList.Rent(new ReadOnlySpan<IoSegment>(in memory), isOurs: true);
        ValueTask<IoResult> task = file.ReadSegmentsAsync(list, (long)read.Offset, options);
        return task.IsCompletedSuccessfully ? new(AnswerRead(request, task.Result, isDirect)) : AwaitReadAsync(request, task, isDirect);
    }

    public override ValueTask<Errno> WriteAsync(FuseRequest request)
    {
        FuseWriteIn write = request.Arguments<FuseWriteIn>();
        OpenFile file = _files[write.Handle];
        if (write.Offset > (ulong)long.MaxValue - write.Size)
        {
            return new(Errno.EFBIG);
        }

        IoSegment data = request.WriteSegment;
        SegmentList list = SegmentList.Rent(new ReadOnlySpan<IoSegment>(in data), isOurs: true);
        IoOptions options = WriteOptionsOf(write, file.Inode);
        if ((write.WriteFlags & FuseWriteFlags.Cache) != 0)
        {
            _endPages.ZeroStale(request.Header.NodeId, data, (long)write.Offset);
        }
        else
        {
            _endPages.Forget(request.Header.NodeId);
            ValueTask dropping = EndPages.DropBeforeGrowthAsync(request.Notifier, request.Header.NodeId, file.Inode, (long)write.Offset);
            if (!dropping.IsCompletedSuccessfully)
            {
                return WriteAfterAsync(dropping, request, file, list, options);
            }
        }

        return WriteAsync(request, file, list, options);
    }

    private async ValueTask<Errno> WriteAfterAsync(ValueTask dropping, FuseRequest request, OpenFile file, SegmentList list, IoOptions options)
    {
        await dropping.ConfigureAwait(false);
        return await WriteAsync(request, file, list, options).ConfigureAwait(false);
    }

    private ValueTask<Errno> WriteAsync(FuseRequest request, OpenFile file, SegmentList list, IoOptions options)
    {
        if ((options & IoOptions.Direct) != 0)
        {
            _kernelCopies.Watch(request.Header.NodeId);
            return WriteDirectAsync(request, file, list, options);
        }

        long offset = (long)request.Arguments<FuseWriteIn>().Offset;
        ValueTask<IoResult> task = file.WriteSegmentsAsync(list, offset, options);
        return task.IsCompletedSuccessfully ? new(AnswerWrite(request, task.Result, options)) : AwaitWriteAsync(request, task, options);
    }

    public override async ValueTask<Errno> FSyncAsync(FuseRequest request)
    {
        FuseFSyncIn sync = request.Arguments<FuseFSyncIn>();
        await _files[sync.Handle].FlushAsync((sync.Flags & FuseFSyncIn.DataOnly) != 0).ConfigureAwait(false);
        return Errno.None;
    }

    public override async ValueTask<Errno> ReleaseAsync(FuseRequest request)
    {
        OpenFile? file = _files.Remove(request.Arguments<FuseReleaseIn>().Handle);
        if (file is not null)
        {
            await file.DisposeAsync().ConfigureAwait(false);
        }

        return Errno.None;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<Errno> AwaitReadAsync(FuseRequest request, ValueTask<IoResult> task, bool isDirect) =>
        AnswerRead(request, await task.ConfigureAwait(false), isDirect);

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<Errno> AwaitWriteAsync(FuseRequest request, ValueTask<IoResult> task, IoOptions options) =>
        AnswerWrite(request, await task.ConfigureAwait(false), options);

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<Errno> WriteDirectAsync(FuseRequest request, OpenFile file, SegmentList list, IoOptions options)
    {
        long offset = (long)request.Arguments<FuseWriteIn>().Offset;
        IoResult result = await file.WriteSegmentsAsync(list, offset, options).ConfigureAwait(false);
        await _kernelCopies.DropAsync(request.Notifier, request.Header.NodeId, offset, request.WriteSegment.Length).ConfigureAwait(false);
        return AnswerWrite(request, result, options);
    }

    /// <summary>A short reply to a buffered read would mean the end of the file to the kernel: only a direct one may be cut by a fault.</summary>
    private static Errno AnswerRead(FuseRequest request, IoResult result, bool isDirect) =>
        result.IsFailed && (result.Bytes == 0 || !isDirect) ? Errno.From(result.Fault) : request.ReplyPayload((int)result.Bytes);

    /// <summary>
    /// The kernel hands a short buffered write on, but makes EIO of a short direct one. That would hide the reason, so a direct write that
    /// failed on its way is answered with it; the kernel then cuts off what the write had added to the file.
    /// </summary>
    private static Errno AnswerWrite(FuseRequest request, IoResult result, IoOptions options)
    {
        if (!result.IsFailed || (result.Bytes > 0 && (options & IoOptions.Direct) == 0))
        {
            return request.Reply(new FuseWriteOut { Size = (uint)result.Bytes });
        }

        // Written at its offset again, a write does no harm; appended again, it does.
        request.MayRunAgain &= result.Bytes == 0 || (options & IoOptions.Append) == 0;
        return Errno.From(result.Fault);
    }

    private static IoOptions WriteOptionsOf(in FuseWriteIn write, Inode inode)
    {
        IoOptions options = IoOptions.None;
        if ((write.WriteFlags & FuseWriteFlags.Cache) != 0)
        {
            // Written back by the kernel: the flags are those of some file that was open, not of a request, and it looked at privileges then.
            return options | RequestOptions.KeepsSetId | RequestOptions.WrittenBack;
        }

        if ((write.WriteFlags & FuseWriteFlags.KillSuidGid) == 0)
        {
            options |= RequestOptions.KeepsSetId;
        }

        if ((write.Flags & LinuxOpenFlagsOfThisMachine.Direct) != 0)
        {
            options |= IoOptions.Direct;
        }

        if ((write.Flags & LinuxOpenFlags.DataSync) != 0)
        {
            options |= (write.Flags & LinuxOpenFlags.SyncBit) != 0 ? IoOptions.Sync : IoOptions.DataSync;
        }

        // The kernel has turned O_APPEND into an offset, under its own lock; only where nothing but appending is allowed does it go on.
        if ((inode.Attributes.Flags & FileFlags.AppendOnly) != 0)
        {
            options |= IoOptions.Append;
        }

        return options;
    }

    private async ValueTask<Errno> ReplyOpenEntryAsync(FuseRequest request, Inode inode, LinuxOpenFlags flags)
    {
        // One reference for the open file, one for the node.
        _fileSystem.Inodes.Reference(inode);
        OpenFile file = NewOpenFile(inode, flags);
        request.Reply(new FuseCreateOut
        {
            Entry = EntryOf(inode),
            Open = new FuseOpenOut { Handle = _files.Add(file), OpenFlags = OpenReply },
        });
        await AddLookupAsync(inode).ConfigureAwait(false);
        return Errno.None;
    }

    /// <summary>The kernel judges the direction of each call; with its writeback cache it reads through a file that is open for writing.</summary>
    private static OpenFile NewOpenFile(Inode inode, LinuxOpenFlags flags) =>
        new(inode, FileAccess.ReadWrite, IoOptions.None, isWriter: (flags & LinuxOpenFlags.AccessMode) != LinuxOpenFlags.ReadOnly);

    private void RequireOpenable(Inode inode, LinuxOpenFlags flags)
    {
        if (inode.Kind != FileKind.Regular)
        {
            throw new FileSystemException(inode.Kind == FileKind.Directory ? IoFault.IsADirectory : IoFault.NoSuchRange);
        }

        bool writes = (flags & LinuxOpenFlags.AccessMode) != LinuxOpenFlags.ReadOnly || (flags & LinuxOpenFlags.Truncate) != 0;
        if (!writes)
        {
            return;
        }

        RequireWritable();
        FileChecks.MayChange(inode);
        bool isAppendOnly = (inode.Attributes.Flags & FileFlags.AppendOnly) != 0;
        if (isAppendOnly && ((flags & LinuxOpenFlags.Append) == 0 || (flags & LinuxOpenFlags.Truncate) != 0))
        {
            throw new FileSystemException(IoFault.NotPermitted);
        }
    }

    private async ValueTask TruncateAsync(FuseRequest request, Inode inode, long size, bool keepsPrivileges)
    {
        RequireWritable();
        FileChecks.MayTruncate(inode);
        if (!keepsPrivileges && Callers.IsOutsideGroup(request.Header, inode))
        {
            await AttributeChanges.ApplyAsync(inode, new AttributeUpdate { ClearsPrivileges = true, IsByOutsider = true }).ConfigureAwait(false);
        }

        if (size <= inode.Size)
        {
            // The kernel drops what it has of the file.
            inode.EndPageReadAbove = -1;
        }

        await TruncatePath.SetSizeAsync(inode, size, keepsPrivileges).ConfigureAwait(false);
        NoteFreed();
    }
}
