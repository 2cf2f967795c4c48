using System.Runtime.CompilerServices;
using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Session;

/// <summary>One row of the table of requests: what must be there before the handler sees it, and who handles it.</summary>
/// <param name="Opcode">The number on the wire.</param>
/// <param name="ArgumentSize">Bytes of the fixed structure after the header.</param>
/// <param name="Names">How many strings with a zero byte follow it.</param>
/// <param name="Invoke">The handler's method.</param>
internal sealed record FuseOperation(
    FuseOpcode Opcode, int ArgumentSize, int Names, Func<FuseHandler, FuseRequest, ValueTask<Errno>> Invoke)
{
    private static readonly FuseOperation?[] s_table = Index(
    [
        Row(FuseOpcode.Lookup, 0, 1, static (h, r) => h.LookupAsync(r)),
        Row<FuseGetAttrIn>(FuseOpcode.GetAttr, 0, static (h, r) => h.GetAttrAsync(r)),
        Row<FuseStatxIn>(FuseOpcode.StatX, 0, static (h, r) => h.StatXAsync(r)),
        Row<FuseSetAttrIn>(FuseOpcode.SetAttr, 0, static (h, r) => h.SetAttrAsync(r)),
        Row(FuseOpcode.ReadLink, 0, 0, static (h, r) => h.ReadLinkAsync(r)),
        Row(FuseOpcode.SymLink, 0, 2, static (h, r) => h.SymLinkAsync(r)),
        Row<FuseMkNodIn>(FuseOpcode.MkNod, 1, static (h, r) => h.MkNodAsync(r)),
        Row<FuseMkDirIn>(FuseOpcode.MkDir, 1, static (h, r) => h.MkDirAsync(r)),
        Row(FuseOpcode.Unlink, 0, 1, static (h, r) => h.UnlinkAsync(r)),
        Row(FuseOpcode.RmDir, 0, 1, static (h, r) => h.RmDirAsync(r)),
        Row<FuseRenameIn>(FuseOpcode.Rename, 2, static (h, r) => h.RenameAsync(r)),
        Row<FuseRename2In>(FuseOpcode.Rename2, 2, static (h, r) => h.Rename2Async(r)),
        Row<FuseLinkIn>(FuseOpcode.Link, 1, static (h, r) => h.LinkAsync(r)),
        Row<FuseOpenIn>(FuseOpcode.Open, 0, static (h, r) => h.OpenAsync(r)),
        Row<FuseCreateIn>(FuseOpcode.Create, 1, static (h, r) => h.CreateAsync(r)),
        Row<FuseCreateIn>(FuseOpcode.TmpFile, 1, static (h, r) => h.TmpFileAsync(r)),
        Row<FuseReadIn>(FuseOpcode.Read, 0, static (h, r) => h.ReadAsync(r)),
        Row<FuseWriteIn>(FuseOpcode.Write, 0, static (h, r) => HasWholeData(r) ? h.WriteAsync(r) : new(Errno.EINVAL)),
        Row<FuseFlushIn>(FuseOpcode.Flush, 0, static (h, r) => h.FlushAsync(r)),
        Row<FuseReleaseIn>(FuseOpcode.Release, 0, static (h, r) => h.ReleaseAsync(r)),
        Row<FuseFSyncIn>(FuseOpcode.FSync, 0, static (h, r) => h.FSyncAsync(r)),
        Row<FuseFAllocateIn>(FuseOpcode.FAllocate, 0, static (h, r) => h.FAllocateAsync(r)),
        Row<FuseLSeekIn>(FuseOpcode.LSeek, 0, static (h, r) => h.LSeekAsync(r)),
        Row<FuseCopyFileRangeIn>(FuseOpcode.CopyFileRange, 0, static (h, r) => h.CopyFileRangeAsync(r)),
        Row<FuseCopyFileRangeIn>(FuseOpcode.CopyFileRange64, 0, static (h, r) => h.CopyFileRange64Async(r)),
        Row<FuseOpenIn>(FuseOpcode.OpenDir, 0, static (h, r) => h.OpenDirAsync(r)),
        Row<FuseReadIn>(FuseOpcode.ReadDir, 0, static (h, r) => h.ReadDirAsync(r)),
        Row<FuseReadIn>(FuseOpcode.ReadDirPlus, 0, static (h, r) => h.ReadDirPlusAsync(r)),
        Row<FuseReleaseIn>(FuseOpcode.ReleaseDir, 0, static (h, r) => h.ReleaseDirAsync(r)),
        Row<FuseFSyncIn>(FuseOpcode.FSyncDir, 0, static (h, r) => h.FSyncDirAsync(r)),
        Row<FuseSetXAttrIn>(FuseOpcode.SetXAttr, 1, static (h, r) => HasWholeValue(r) ? h.SetXAttrAsync(r) : new(Errno.EINVAL)),
        Row<FuseGetXAttrIn>(FuseOpcode.GetXAttr, 1, static (h, r) => h.GetXAttrAsync(r)),
        Row<FuseGetXAttrIn>(FuseOpcode.ListXAttr, 0, static (h, r) => h.ListXAttrAsync(r)),
        Row(FuseOpcode.RemoveXAttr, 0, 1, static (h, r) => h.RemoveXAttrAsync(r)),
        Row(FuseOpcode.StatFs, 0, 0, static (h, r) => h.StatFsAsync(r)),
        Row(FuseOpcode.SyncFs, 8, 0, static (h, r) => h.SyncFsAsync(r)),
        Row<FuseAccessIn>(FuseOpcode.Access, 0, static (h, r) => h.AccessAsync(r)),
        Row<FuseIoCtlIn>(FuseOpcode.IoCtl, 0, static (h, r) => HasWholeArgument(r) ? h.IoCtlAsync(r) : new(Errno.EINVAL)),
        Row(FuseOpcode.Destroy, 0, 0, static (h, r) => h.DestroyAsync(r)),
        Row<FuseForgetIn>(FuseOpcode.Forget, 0, Forget),
        Row<FuseBatchForgetIn>(FuseOpcode.BatchForget, 0, BatchForget),
    ]);

    /// <summary>Every row there is.</summary>
    public static IEnumerable<FuseOperation> All => s_table.OfType<FuseOperation>();

    /// <summary>The row of an opcode; null is answered with ENOSYS.</summary>
    public static FuseOperation? Of(FuseOpcode opcode) => (uint)opcode < (uint)s_table.Length ? s_table[(int)opcode] : null;

    private static FuseOperation Row(
        FuseOpcode opcode, int argumentSize, int names, Func<FuseHandler, FuseRequest, ValueTask<Errno>> invoke) =>
        new(opcode, argumentSize, names, invoke);

    private static FuseOperation Row<T>(FuseOpcode opcode, int names, Func<FuseHandler, FuseRequest, ValueTask<Errno>> invoke)
        where T : unmanaged => new(opcode, Unsafe.SizeOf<T>(), names, invoke);

    private static FuseOperation?[] Index(FuseOperation[] rows)
    {
        var table = new FuseOperation?[(int)rows.Max(static row => row.Opcode) + 1];
        foreach (FuseOperation row in rows)
        {
            table[(int)row.Opcode] = row;
        }

        return table;
    }

    private static bool HasWholeData(FuseRequest request) => request.Arguments<FuseWriteIn>().Size <= (uint)request.Tail.Length;

    private static bool HasWholeValue(FuseRequest request) =>
        request.Arguments<FuseSetXAttrIn>().Size <= (uint)request.TailAfterName.Length;

    private static bool HasWholeArgument(FuseRequest request) =>
        request.Arguments<FuseIoCtlIn>().InSize <= (uint)request.Tail.Length;

    private static ValueTask<Errno> Forget(FuseHandler handler, FuseRequest request)
    {
        handler.Forget(request.Header.NodeId, request.Arguments<FuseForgetIn>().Lookups);
        return new(Errno.None);
    }

    private static ValueTask<Errno> BatchForget(FuseHandler handler, FuseRequest request)
    {
        uint count = request.Arguments<FuseBatchForgetIn>().Count;
        var forgets = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, FuseForgetOne>(request.Tail);
        foreach (ref readonly FuseForgetOne one in forgets[..(int)Math.Min(count, (uint)forgets.Length)])
        {
            handler.Forget(one.NodeId, one.Lookups);
        }

        return new(Errno.None);
    }
}
