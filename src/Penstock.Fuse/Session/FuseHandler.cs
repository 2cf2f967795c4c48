using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Session;

/// <summary>
/// What a file system does about each request: one method for one opcode. A method is called on a thread of the transport and must not
/// block; its task may complete anywhere. Arguments are got from the request and the reply is put into it; the result says only
/// whether that reply or an error is sent. An exception becomes an error. A method left as it is answers ENOSYS, and the kernel
/// then does without.
/// </summary>
internal abstract class FuseHandler
{
    /// <summary>What was agreed on with the kernel; called before any other request.</summary>
    public virtual void Initialized(FuseConnection connection)
    {
    }

    /// <summary>
    /// A request failed for lack of space. True says that there may be more now: it is then run again, once.
    /// </summary>
    public virtual ValueTask<bool> MakeRoomAsync() => new(false);

    /// <summary>The kernel drops this many lookups of a node. There is no reply.</summary>
    public virtual void Forget(ulong node, ulong lookups)
    {
    }

    /// <summary>The kernel says goodbye (only where it does: a block device as the source).</summary>
    public virtual ValueTask<Errno> DestroyAsync(FuseRequest request) => new(Errno.None);

    public virtual ValueTask<Errno> LookupAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> GetAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> StatXAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> SetAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReadLinkAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> SymLinkAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> MkNodAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> MkDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> UnlinkAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> RmDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> RenameAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> Rename2Async(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> LinkAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> OpenAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> CreateAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> TmpFileAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReadAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> WriteAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> FlushAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReleaseAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> FSyncAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> FAllocateAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> LSeekAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> CopyFileRangeAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> CopyFileRange64Async(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> OpenDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReadDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReadDirPlusAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ReleaseDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> FSyncDirAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> SetXAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> GetXAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> ListXAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> RemoveXAttrAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> StatFsAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> SyncFsAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> AccessAsync(FuseRequest request) => Unsupported;

    public virtual ValueTask<Errno> IoCtlAsync(FuseRequest request) => new(Errno.ENOTTY);

    private static ValueTask<Errno> Unsupported => new(Errno.ENOSYS);
}
