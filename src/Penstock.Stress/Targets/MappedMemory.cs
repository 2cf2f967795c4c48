using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>
/// Moves bytes into and out of a memory map by way of an anonymous file: the kernel touches the mapped pages exactly as a program's loads and stores
/// would, and where those would kill the process (SIGBUS: no space, no device, past the end) the call fails instead.
/// </summary>
internal sealed unsafe class MappedMemory : IDisposable
{
    private const uint CloseOnExec = 1;
    private static readonly long s_pageMask = Environment.SystemPageSize - 1;

    private readonly int _scratch = LinuxCalls.CreateMemoryFile("penstock-fsx", CloseOnExec);

    public IoResult Transfer(HostFile file, Memory<byte> memory, long offset, bool isWrite, bool syncsMap)
    {
        long start = offset & ~s_pageMask;
        nint length = (nint)(offset - start + memory.Length);
        nint map = LinuxCalls.Map(0, length, LinuxCalls.ReadAndWrite, LinuxCalls.Shared, file, start);
        if (map == -1)
        {
            return CallResult.FromLibrary(-1).ToResult();
        }

        IoResult result = Move((byte*)map + (offset - start), memory, isWrite);
        if (isWrite && syncsMap && !result.IsFailed && LinuxCalls.SyncMap(map, length, LinuxCalls.SynchronousMap) != 0)
        {
            result = CallResult.FromLibrary(-1).ToResult();
        }

        _ = LinuxCalls.Unmap(map, length);
        return result;
    }

    public void Dispose() => _ = LinuxCalls.Close(_scratch);

    private IoResult Move(byte* mapped, Memory<byte> memory, bool isWrite)
    {
        using System.Buffers.MemoryHandle pin = memory.Pin();
        void* from = isWrite ? pin.Pointer : mapped;
        void* to = isWrite ? mapped : pin.Pointer;
        nint done = LinuxCalls.Write(_scratch, from, memory.Length, 0);
        if (done == memory.Length)
        {
            done = LinuxCalls.Read(_scratch, to, memory.Length, 0);
        }

        // EFAULT is what SIGBUS is to a program. A short count says the same of a later page.
        return done == -1 && CallResult.FromLibrary(-1).Error != Errno.EFAULT ? CallResult.FromLibrary(-1).ToResult()
            : done < memory.Length ? IoResult.Failed(IoFault.DeviceFailed)
            : IoResult.Transferred(done);
    }
}
