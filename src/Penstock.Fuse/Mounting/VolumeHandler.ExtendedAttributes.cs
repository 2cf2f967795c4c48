using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>Extended attributes. The kernel has judged who may use which prefix, except in lists.</content>
internal sealed partial class VolumeHandler
{
    /// <summary>The kernel asks for file capabilities before the first write to a file and before each change of owner: as a rule there is nothing to look for.</summary>
    public override ValueTask<Errno> GetXAttrAsync(FuseRequest request)
    {
        if (JudgeName(request.Name) is { IsNone: false } error)
        {
            return new(error);
        }

        Inode inode = NodeOf(request);
        return AttributeReads.HasNone(inode) ? new(Errno.ENODATA) : ReplyAttributeAsync(request, inode);
    }

    public override async ValueTask<Errno> ListXAttrAsync(FuseRequest request)
    {
        uint room = request.Arguments<FuseGetXAttrIn>().Size;
        bool isRoot = request.Header.Uid == 0;
        IReadOnlyList<FileName> names = await AttributeReads.ListAsync(NodeOf(request)).ConfigureAwait(false);
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
        if (JudgeName(request.Name) is { IsNone: false } error)
        {
            return error;
        }

        byte[] value = request.TailAfterName[..(int)set.Size].ToArray();
        AttributeCondition condition = set.Flags switch
        {
            // Both at once can only fail; how depends on what is there.
            FuseSetXAttrIn.Create | FuseSetXAttrIn.Replace =>
                await AttributeReads.GetAsync(NodeOf(request), NameOf(request)).ConfigureAwait(false) is null
                    ? AttributeCondition.MustExist : AttributeCondition.MustNotExist,
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

        // To remove a list that is not there is no error.
        bool isAcl = request.Name.StartsWith("system.posix_acl_"u8);
        AttributeCondition condition = isAcl ? AttributeCondition.None : AttributeCondition.MustExist;
        await AttributeChanges.SetAttributeAsync(NodeOf(request), NameOf(request), null, condition).ConfigureAwait(false);
        return Errno.None;
    }

    private async ValueTask<Errno> ReplyAttributeAsync(FuseRequest request, Inode inode)
    {
        byte[]? value = await AttributeReads.GetAsync(inode, NameOf(request)).ConfigureAwait(false);
        return value is null ? Errno.ENODATA : ReplyValue(request, value, request.Arguments<FuseGetXAttrIn>().Size);
    }

    /// <summary>The prefixes that Linux knows here, and something behind them.</summary>
    private static Errno JudgeName(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("system.posix_acl_access"u8) || name.SequenceEqual("system.posix_acl_default"u8))
        {
            return Errno.None;
        }

        bool isKnown = name.StartsWith("user."u8) || name.StartsWith("trusted."u8) || name.StartsWith("security."u8);
        return !isKnown ? Errno.EOPNOTSUPP : name[^1] == '.' && name.Count((byte)'.') == 1 ? Errno.EINVAL : Errno.None;
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
