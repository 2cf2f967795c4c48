using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Bench.Bare;

/// <summary>Answers reads with zeros and takes writes without keeping them.</summary>
internal sealed class ZeroHandler : FuseHandler
{
    public override ValueTask<Errno> LookupAsync(FuseRequest request) => new(request.Reply(ZeroFile.Entry()));

    public override ValueTask<Errno> GetAttrAsync(FuseRequest request) => new(request.Reply(ZeroFile.Attributes(request.Header.NodeId)));

    public override ValueTask<Errno> OpenAsync(FuseRequest request) => new(request.Reply(new FuseOpenOut { OpenFlags = FuseOpenReply.ParallelDirectWrites }));

    public override ValueTask<Errno> ReadAsync(FuseRequest request)
    {
        var size = (int)request.Arguments<FuseReadIn>().Size;
        request.RentPayload(size);
        return new(request.ReplyPayload(size));
    }

    public override ValueTask<Errno> WriteAsync(FuseRequest request) => new(request.Reply(new FuseWriteOut { Size = request.Arguments<FuseWriteIn>().Size }));

    public override ValueTask<Errno> FlushAsync(FuseRequest request) => new(Errno.None);

    public override ValueTask<Errno> ReleaseAsync(FuseRequest request) => new(Errno.None);

    public override ValueTask<Errno> FSyncAsync(FuseRequest request) => new(Errno.None);
}
