using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>Extended attributes. The kernel has judged who may use which prefix, except in lists.</content>
internal sealed partial class VolumeHandler
{
    public override async ValueTask<Errno> GetXAttrAsync(FuseRequest request)
    {
        uint room = request.Arguments<FuseGetXAttrIn>().Size;
        byte[]? value = await NodeOf(request).GetAttributeAsync(NameOf(request)).ConfigureAwait(false);
        return value is null ? Errno.ENODATA : ReplyValue(request, value, room);
    }

    public override async ValueTask<Errno> ListXAttrAsync(FuseRequest request)
    {
        uint room = request.Arguments<FuseGetXAttrIn>().Size;
        bool isRoot = request.Header.Uid == 0;
        IReadOnlyList<FileName> names = await NodeOf(request).ListAttributesAsync().ConfigureAwait(false);
        var list = new List<byte>();
        foreach (FileName name in names)
        {
            if (isRoot || !name.Bytes.StartsWith("trusted."u8))
            {
                list.AddRange(name.Bytes);
                list.Add(0);
            }
        }

        return ReplyValue(request, [.. list], room);
    }

    public override async ValueTask<Errno> SetXAttrAsync(FuseRequest request)
    {
        RequireWritable();
        FuseSetXAttrIn set = request.Arguments<FuseSetXAttrIn>();
        byte[] value = request.TailAfterName[..(int)set.Size].ToArray();
        AttributeCondition condition = set.Flags switch
        {
            FuseSetXAttrIn.Create => AttributeCondition.MustNotExist,
            FuseSetXAttrIn.Replace => AttributeCondition.MustExist,
            _ => AttributeCondition.None,
        };
        bool clearsSetGid = (set.ExtendedFlags & FuseSetXAttrIn.AclKillSgid) != 0;
        await AttributeChanges.SetAttributeAsync(NodeOf(request), NameOf(request), value, condition, clearsSetGid).ConfigureAwait(false);
        return Errno.None;
    }

    public override async ValueTask<Errno> RemoveXAttrAsync(FuseRequest request)
    {
        RequireWritable();
        await AttributeChanges.SetAttributeAsync(NodeOf(request), NameOf(request), null, AttributeCondition.MustExist).ConfigureAwait(false);
        return Errno.None;
    }

    private static Errno ReplyValue(FuseRequest request, ReadOnlySpan<byte> value, uint room)
    {
        if (room == 0)
        {
            return request.Reply(new FuseGetXAttrOut { Size = (uint)value.Length });
        }

        if (value.Length > room)
        {
            return Errno.ERANGE;
        }

        value.CopyTo(request.RentPayload(value.Length).Span);
        return request.ReplyPayload(value.Length);
    }
}
