using System.Buffers;
using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>A file of a mounted file system, by the host's own system calls.</summary>
internal sealed unsafe class HostStressFile : StressFile
{
    private const int OpenKinds = 4;

    private readonly string _path;
    private readonly HostFile?[] _files = new HostFile?[OpenKinds];
    private readonly MappedMemory _mapped = new();
    private readonly IoVector[] _vectors = new IoVector[64];
    private readonly MemoryHandle[] _pins = new MemoryHandle[64];

    public HostStressFile(string name, string path, bool isNew)
        : base(name)
    {
        _path = path;
        _files[0] = HostFile.Open(path, HostOpenFlags.ReadWrite | (isNew ? HostOpenFlags.Create | HostOpenFlags.Truncate : 0), out Errno error);
        if (_files[0] is null)
        {
            _mapped.Dispose();
            throw HostErrors.Unreachable(path, error);
        }
    }

    private HostFile Plain => _files[0]!;

    public override IoFault GetLength(out long length)
    {
        Errno error = Plain.GetStatus(out FileStatus status);
        length = status.Size;
        return error.ToFileFault();
    }

    public override IoResult Read(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes) =>
        Move(memory, offset, modes, isWrite: false);

    public override IoResult Write(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes) =>
        Move(memory, offset, modes, isWrite: true);

    public override IoFault SetLength(long length) => Plain.SetLength(length).ToFileFault();

    public override IoFault ChangeRange(FileRangeChange change, long offset, long length) => Plain.ChangeRange(
        change switch
        {
            FileRangeChange.Allocate => RangeChange.Allocate,
            FileRangeChange.AllocateKeepingSize => RangeChange.KeepSize,
            FileRangeChange.PunchHole => RangeChange.PunchHole,
            FileRangeChange.Zero => RangeChange.ZeroRangeAndExtend,
            FileRangeChange.ZeroKeepingSize => RangeChange.ZeroRange,
            FileRangeChange.Collapse => RangeChange.Collapse,
            FileRangeChange.Insert => RangeChange.Insert,
            _ => throw new ArgumentOutOfRangeException(nameof(change)),
        },
        offset,
        length).ToFileFault();

    public override IoResult CopyRange(long offset, StressFile target, long targetOffset, long length)
    {
        IoFault fault = GetLength(out long size);
        if (fault != IoFault.None)
        {
            return IoResult.Failed(fault);
        }

        // A copy may stop short and be gone on with; not, though, into what it has itself put behind the old end.
        long end = Math.Max(size, offset);
        HostFile to = ((HostStressFile)target).Plain;
        long copied = 0;
        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LinuxCalls.CopyRange(Plain, ref offset, to, ref targetOffset, (nint)(length - copied), 0));
            copied += Math.Max(result.Value, 0);
        }
        while (result.Value > 0 && copied < length && offset < end);
        return new IoResult(copied, result.Error.ToFileFault());
    }

    public override IoFault Flush(bool dataOnly) =>
        dataOnly ? Plain.SyncData().ToFileFault() : CallResult.FromLibrary(LinuxCalls.Sync(Plain)).Error.ToFileFault();

    public override IoFault Reopen()
    {
        CloseAll();
        _files[0] = HostFile.Open(_path, HostOpenFlags.ReadWrite, out Errno error);
        if (_files[0] is null)
        {
            throw HostErrors.Unreachable(_path, error);
        }

        return IoFault.None;
    }

    public override IoFault DropCache(long offset, long length)
    {
        // The kernel forgets only what is clean.
        IoFault fault = Flush(dataOnly: true);
        return fault != IoFault.None ? fault : ((Errno)LinuxCalls.Advise(Plain, offset, length, LinuxCalls.AdviceDontNeed)).ToFileFault();
    }

    public override IoFault Find(bool isData, long offset, out long found)
    {
        CallResult result = CallResult.FromLibrary(LinuxCalls.Seek(Plain, offset, isData ? LinuxCalls.SeekData : LinuxCalls.SeekHole));
        found = result.IsError ? 0 : result.Value;
        return result.Error.ToFileFault();
    }

    public override IoResult ReadMapped(Memory<byte> memory, long offset) =>
        _mapped.Transfer(Plain, memory, offset, isWrite: false, syncsMap: false);

    public override IoResult WriteMapped(Memory<byte> memory, long offset, TransferModes modes) =>
        _mapped.Transfer(Plain, memory, offset, isWrite: true, modes.HasFlag(TransferModes.DataSync));

    /// <summary>The open file for these modes, for a ring as well.</summary>
    public HostFile? Get(TransferModes modes, out Errno error)
    {
        error = Errno.None;
        int kind = (int)(modes & (TransferModes.Direct | TransferModes.Append));
        return _files[kind] ??= HostFile.Open(
            _path,
            HostOpenFlags.ReadWrite | (modes.HasFlag(TransferModes.Direct) ? HostOpenFlags.Direct : 0)
                | (modes.HasFlag(TransferModes.Append) ? HostOpenFlags.Append : 0),
            out error);
    }

    /// <summary>The alignment that the kernel tells for direct I/O, or 0.</summary>
    public int DirectAlignment => Plain.GetStatus(out FileStatus status) == Errno.None && status.KnowsDirectAlignment
        ? Math.Max(status.DirectMemoryAlignment, status.DirectOffsetAlignment)
        : 0;

    protected override void Dispose(bool isDisposing)
    {
        CloseAll();
        _mapped.Dispose();
    }

    private void CloseAll()
    {
        for (int i = 0; i < OpenKinds; i++)
        {
            _files[i]?.Dispose();
            _files[i] = null;
        }
    }

    private IoResult Move(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes, bool isWrite)
    {
        if (Get(modes, out Errno error) is not { } file)
        {
            return IoResult.Failed(error.ToFileFault());
        }

        for (int i = 0; i < memory.Count; i++)
        {
            _pins[i] = memory[i].Pin();
            _vectors[i] = new IoVector((nint)_pins[i].Pointer, memory[i].Length);
        }

        TransferFlags flags = isWrite && modes.HasFlag(TransferModes.DataSync) ? TransferFlags.DataSync : TransferFlags.None;
        ReadOnlySpan<IoVector> vectors = _vectors.AsSpan(0, memory.Count);
        CallResult result = isWrite ? file.Write(vectors, offset, flags) : file.Read(vectors, offset);
        for (int i = 0; i < memory.Count; i++)
        {
            _pins[i].Dispose();
        }

        return result.ToResult();
    }
}
