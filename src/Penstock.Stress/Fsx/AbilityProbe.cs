using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Tries on a small file what the target can do.</summary>
internal sealed class AbilityProbe : IDisposable
{
    private const string FileName = "probe.0";
    private const int Unit = 64 << 10;
    private const int Length = 4 * Unit;

    private readonly StressFolder _folder;
    private readonly StressFile _file;
    private readonly AlignedBuffer _buffer = new(Length);
    private readonly TargetAbilities _abilities = new();

    private AbilityProbe(StressFolder folder)
    {
        _folder = folder;
        _file = folder.Open(folder.FilePrefix + FileName, isNew: true);
    }

    /// <summary>Finds out what the target can do; leaves nothing behind.</summary>
    /// <exception cref="FileSystemException">The target can not even hold a small file.</exception>
    public static TargetAbilities Run(StressFolder folder, FsxOptions options)
    {
        var probe = new AbilityProbe(folder);
        try
        {
            probe.TryAll(options);
            return probe._abilities;
        }
        finally
        {
            probe.Dispose();
            folder.Delete(folder.FilePrefix + FileName);
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        ((IDisposable)_buffer).Dispose();
    }

    private void TryAll(FsxOptions options)
    {
        Begin();
        FindDirectAlignment(options);
        Try(OperationKind.MapRead.ToWord(), () => _file.ReadMapped(_buffer.Memory[..Unit], 0).Fault);
        Try(OperationKind.MapWrite.ToWord(), () => _file.WriteMapped(_buffer.Memory[..Unit], 0, TransferModes.Buffered).Fault);
        Try(OperationKind.Copy.ToWord(), () => _file.CopyRange(0, _file, 2 * Unit, Unit).Fault);
        Try(OperationKind.Seek.ToWord(), () => _file.Find(isData: false, 0, out _));
        Try(OperationKind.Drop.ToWord(), () => _file.DropCache(0, Length));
        Try(FsxWeights.Durable, () => _file.Write([_buffer.Memory[..Unit]], 0, TransferModes.DataSync).Fault);
        foreach (OperationKind kind in OperationKinds.All.Where(k => k.ToRangeChange() is not null))
        {
            TryRangeChange(kind, kind.ToRangeChange()!.Value);
        }

        if (!_folder.ReadsDirectPastEnd)
        {
            _abilities.Refuse(FsxWeights.DirectPastEnd);
        }

        if (!_folder.CanRemount || options.Threads > 1)
        {
            _abilities.Refuse(OperationKind.Remount.ToWord());
        }

        Try(FsxWeights.Async, TryQueue);
    }

    private void Begin()
    {
        Require(_file.SetLength(0));
        IoResult written = _file.Write([_buffer.Memory], 0, TransferModes.Buffered);
        Require(written.Fault);
        if (written.Bytes < Length)
        {
            Require(_file.Write([_buffer.Memory[(int)written.Bytes..]], written.Bytes, TransferModes.Buffered).Fault);
        }
    }

    private void FindDirectAlignment(FsxOptions options)
    {
        int told = options.DirectAlignment > 0 ? options.DirectAlignment : _folder.GetDirectAlignment(_file);
        foreach (int alignment in told > 0 ? [told] : (int[])[512, 4096, Unit])
        {
            Memory<byte>[] memory = [_buffer.Memory[..alignment]];
            IoFault fault = _file.Write(memory, alignment, TransferModes.Direct).Fault;
            fault = fault == IoFault.None ? _file.Read(memory, alignment, TransferModes.Direct).Fault : fault;
            if (fault == IoFault.None)
            {
                _abilities.DirectAlignment = alignment;
                return;
            }

            RequireRefusal(fault);
        }

        _abilities.Refuse(FsxWeights.Direct);
    }

    private void TryRangeChange(OperationKind kind, FileRangeChange change)
    {
        bool isShift = kind is OperationKind.Collapse or OperationKind.Insert;
        foreach (int unit in isShift ? [_folder.BlockSize, 4096, Unit] : (int[])[Unit])
        {
            Begin();
            IoFault fault = _file.ChangeRange(change, unit, unit);
            if (fault == IoFault.None)
            {
                _abilities.ShiftAlignment = isShift ? Math.Max(_abilities.ShiftAlignment, unit) : _abilities.ShiftAlignment;
                return;
            }

            RequireRefusal(fault);
        }

        _abilities.Refuse(kind.ToWord());
    }

    private IoFault TryQueue()
    {
        Begin();
        try
        {
            using TransferQueue queue = _folder.CreateQueue(1);
            queue.Add(0, new Transfer(_file, IsWrite: false, [_buffer.Memory[..Unit]], 0, TransferModes.Buffered));
            queue.Submit();
            queue.Take(out IoResult result);
            return result.Fault;
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NotSupported)
        {
            return e.Fault;
        }
    }

    private void Try(string word, Func<IoFault> attempt)
    {
        IoFault fault = attempt();
        if (fault != IoFault.None)
        {
            RequireRefusal(fault);
            _abilities.Refuse(word);
        }
    }

    private void RequireRefusal(IoFault fault)
    {
        if (fault is not (IoFault.NotSupported or IoFault.InvalidArgument or IoFault.CrossesVolumes or IoFault.Stale))
        {
            Require(fault);
        }
    }

    private void Require(IoFault fault)
    {
        if (fault != IoFault.None)
        {
            throw new FileSystemException(fault, $"{_folder.Name}: {fault.Describe()}");
        }
    }
}
