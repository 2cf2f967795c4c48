using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Transport;

namespace Penstock.Bench.Bare;

/// <summary>One thread of the server over /dev/fuse: reads a request, writes its answer, and so on until it is unmounted.</summary>
internal sealed unsafe class BareLoop(SafeFileHandle device, int largest)
{
    private readonly byte* _request = (byte*)NativeMemory.AlignedAlloc((nuint)largest + 4096, 4096);
    private readonly byte* _zeros = (byte*)NativeMemory.AlignedAlloc((nuint)largest, 4096);
    private readonly byte* _reply = (byte*)NativeMemory.AllocZeroed(512);

    public void Run()
    {
        new Span<byte>(_zeros, largest).Clear();
        while (true)
        {
            var vector = new IoVector { Base = _request, Length = (nuint)largest + 4096 };
            if (LinuxCalls.ReadV(device, &vector, 1) >= 0)
            {
                Answer(ref *(FuseInHeader*)_request);
            }
            else if (Marshal.GetLastPInvokeError() is var error && error != Errno.EINTR.Value && error != Errno.ENOENT.Value)
            {
                break;
            }
        }

        NativeMemory.AlignedFree(_request);
        NativeMemory.AlignedFree(_zeros);
        NativeMemory.Free(_reply);
    }

    private void Answer(ref FuseInHeader header)
    {
        byte* arguments = _request + sizeof(FuseInHeader);
        switch (header.Opcode)
        {
            case FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.Interrupt:
                break;
            case FuseOpcode.Read:
                Send(header.Unique, 0, 0, (int)((FuseReadIn*)arguments)->Size);
                break;
            case FuseOpcode.Write:
                Reply(header.Unique, new FuseWriteOut { Size = ((FuseWriteIn*)arguments)->Size });
                break;
            case FuseOpcode.Init:
                Reply(header.Unique, Agree(*(FuseInitIn*)arguments));
                break;
            case FuseOpcode.Lookup:
                Reply(header.Unique, ZeroFile.Entry());
                break;
            case FuseOpcode.GetAttr:
                Reply(header.Unique, ZeroFile.Attributes(header.NodeId));
                break;
            case FuseOpcode.Open:
                Reply(header.Unique, new FuseOpenOut { OpenFlags = FuseOpenReply.ParallelDirectWrites });
                break;
            case FuseOpcode.Flush or FuseOpcode.Release or FuseOpcode.FSync:
                Send(header.Unique, 0, 0, 0);
                break;
            default:
                Send(header.Unique, Errno.ENOSYS.Value, 0, 0);
                break;
        }
    }

    private FuseInitOut Agree(FuseInitIn offer)
    {
        FuseInitFlags wanted = FuseInitFlags.AsyncRead | FuseInitFlags.BigWrites | FuseInitFlags.AsyncDio | FuseInitFlags.MaxPages | FuseInitFlags.ParallelDirOps;
        return new FuseInitOut
        {
            Major = offer.Major,
            Minor = offer.Minor,
            MaxReadahead = offer.MaxReadahead,
            Flags = (uint)wanted & offer.Flags,
            MaxBackground = 256,
            CongestionThreshold = 192,
            MaxWrite = (uint)largest,
            MaxPages = (ushort)(largest / 4096),
            TimeGranularity = 1,
        };
    }

    private void Reply<T>(ulong unique, in T message)
        where T : unmanaged
    {
        Unsafe.WriteUnaligned(_reply + sizeof(FuseOutHeader), message);
        Send(unique, 0, sizeof(T), 0);
    }

    private void Send(ulong unique, int error, int messageLength, int zeros)
    {
        int head = sizeof(FuseOutHeader) + messageLength;
        *(FuseOutHeader*)_reply = new FuseOutHeader { Length = (uint)(head + zeros), Error = -error, Unique = unique };
        IoVector* vectors = stackalloc IoVector[2];
        vectors[0] = new IoVector { Base = _reply, Length = (nuint)head };
        vectors[1] = new IoVector { Base = _zeros, Length = (nuint)zeros };
        _ = LinuxCalls.WriteV(device, vectors, zeros > 0 ? 2 : 1);
    }
}
