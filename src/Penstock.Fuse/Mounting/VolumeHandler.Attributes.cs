using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>Attributes: stat and its changes.</content>
internal sealed partial class VolumeHandler
{
    public override ValueTask<Errno> GetAttrAsync(FuseRequest request) => new(ReplyAttributes(request, NodeOf(request)));

    public override ValueTask<Errno> StatXAsync(FuseRequest request)
    {
        Inode inode = NodeOf(request);
        (ulong seconds, uint nanoseconds) = LifetimeOfAttributes(inode);
        return new(request.Reply(new FuseStatxOut
        {
            AttrValid = seconds, AttrValidNanoseconds = nanoseconds, Stat = WireAttributes.ToStatx(inode),
        }));
    }

    public override async ValueTask<Errno> SetAttrAsync(FuseRequest request)
    {
        RequireWritable();
        FuseSetAttrIn change = request.Arguments<FuseSetAttrIn>();
        Inode inode = NodeOf(request);
        if ((change.Valid & FuseSetAttrValid.Size) != 0)
        {
            if (change.Size > long.MaxValue)
            {
                return Errno.EFBIG;
            }

            bool keepsPrivileges = (change.Valid & FuseSetAttrValid.KillSuidGid) == 0;
            long oldSize = inode.Size;
            await TruncateAsync(request, inode, (long)change.Size, keepsPrivileges).ConfigureAwait(false);
            if (!_options.UsesWritebackCache)
            {
                _endPages.NoteGrowth(request.Header.NodeId, inode, oldSize, (long)change.Size);
            }
        }

        AttributeUpdate update = UpdateOf(change);
        if (change.Valid == FuseSetAttrValid.None)
        {
            // Nothing to set: what is left of a chown to nobody, or of a write, fallocate or copy before which the kernel wants privileges gone. It has seen whether
            // the caller may keep them.
            update = update with { ClearsPrivileges = true, IsByOutsider = Callers.IsOutsideGroup(request.Header, inode) };
        }

        if (update != default)
        {
            await AttributeChanges.ApplyAsync(inode, update).ConfigureAwait(false);
        }

        return ReplyAttributes(request, inode);
    }

    private static AttributeUpdate UpdateOf(in FuseSetAttrIn change)
    {
        FuseSetAttrValid valid = change.Valid;
        bool Has(FuseSetAttrValid flag) => (valid & flag) != 0;
        return new AttributeUpdate
        {
            Mode = Has(FuseSetAttrValid.Mode) ? (ushort)(change.Mode & ModeBits.PermissionMask) : null,
            UserId = Has(FuseSetAttrValid.Uid) ? change.Uid : null,
            GroupId = Has(FuseSetAttrValid.Gid) ? change.Gid : null,
            AccessTime = !Has(FuseSetAttrValid.AccessTime) ? null
                : Has(FuseSetAttrValid.AccessTimeNow) ? TimeUpdate.Now
                : TimeUpdate.At(WireAttributes.ToTimestamp(change.AccessTime, change.AccessNanoseconds)),
            ModifyTime = !Has(FuseSetAttrValid.ModifyTime) ? null
                : Has(FuseSetAttrValid.ModifyTimeNow) ? TimeUpdate.Now
                : TimeUpdate.At(WireAttributes.ToTimestamp(change.ModifyTime, change.ModifyNanoseconds)),
        };
    }

    private Errno ReplyAttributes(FuseRequest request, Inode inode)
    {
        (ulong seconds, uint nanoseconds) = LifetimeOfAttributes(inode);
        return request.Reply(new FuseAttrOut
        {
            AttrValid = seconds, AttrValidNanoseconds = nanoseconds, Attr = WireAttributes.ToFuseAttr(inode),
        });
    }
}
