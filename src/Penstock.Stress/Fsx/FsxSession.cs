using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Fresh files on the target with what they must hold: runs operations on both and compares.</summary>
internal sealed class FsxSession : IDisposable
{
    /// <summary>The most pieces of memory of one transfer.</summary>
    public const int MaxPieces = 8;

    private readonly StressFolder _folder;
    private readonly FsxRules _rules;
    private readonly StressFile[] _files;
    private readonly FileImage[] _images;
    private readonly ContentTag _tag;
    private readonly TransferBuffer[] _buffers;
    private readonly byte[] _wanted;
    private readonly TransferQueue? _queue;
    private int _position;

    /// <summary>Makes the files.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="rules">What is legal there.</param>
    /// <param name="firstFile">The number of the first file: others have others.</param>
    /// <param name="salt">What the tags of this session are scrambled with.</param>
    /// <exception cref="FileSystemException">They cannot be made.</exception>
    public FsxSession(StressFolder folder, FsxRules rules, int firstFile, ulong salt)
    {
        _folder = folder;
        _rules = rules;
        _tag = new ContentTag(salt);
        _files = new StressFile[rules.Options.Files];
        _images = new FileImage[_files.Length];
        _wanted = new byte[rules.Options.MaxTransfer + Environment.SystemPageSize];
        try
        {
            for (int i = 0; i < _files.Length; i++)
            {
                string name = FormattableString.Invariant($"{folder.FilePrefix}fsx.{firstFile + i}");
                folder.Delete(name);
                _files[i] = folder.Open(name, isNew: true);
                _images[i] = new FileImage();
            }
        }
        catch
        {
            DeleteFiles();
            throw;
        }

        _buffers = new TransferBuffer[rules.Options.Depth];
        for (int i = 0; i < _buffers.Length; i++)
        {
            _buffers[i] = new TransferBuffer(rules.Options.MaxTransfer);
        }

        _queue = rules.Abilities.IsRefused(FsxWeights.Async) ? null : folder.CreateQueue(rules.Options.Depth);
    }

    /// <summary>What the files must hold now.</summary>
    public IReadOnlyList<FileImage> Images => _images;

    /// <summary>Runs operations that may be in flight together, or one alone.</summary>
    /// <returns>What was found wrong, or null.</returns>
    /// <exception cref="TargetFailedException">The target cannot go on.</exception>
    public Discrepancy? Run(IReadOnlyList<FsxOperation> batch)
    {
        _position += batch.Count;
        Discrepancy? found = batch[0].Kind.IsTransfer() ? RunTransfers(batch) : RunOne(batch[0]);
        for (int i = 0; i < batch.Count && found is null; i++)
        {
            found = CheckLength(batch[i], batch[i].Kind == OperationKind.Copy ? batch[i].TargetFile : batch[i].File);
        }

        return found;
    }

    /// <summary>Compares every byte of every file, through the cache and past it, before and after reopening.</summary>
    public Discrepancy? CheckAll(bool reopens)
    {
        for (int file = 0; file < _files.Length; file++)
        {
            Discrepancy? found = CheckLength(null, file) ?? CheckContent(file, TransferModes.Buffered);
            if (reopens && found is null)
            {
                found = JudgeFault(null, file, _files[file].Flush(dataOnly: false), "fsync") ?? JudgeFault(null, file, _files[file].Reopen(), "open")
                    ?? CheckLength(null, file) ?? (_rules.Abilities.DirectAlignment > 0 ? CheckContent(file, TransferModes.Direct) : null);
            }

            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }

    public void Dispose()
    {
        _queue?.Dispose();
        Array.ForEach(_buffers, b => b.Dispose());
        DeleteFiles();
    }

    private void DeleteFiles()
    {
        foreach (StressFile? file in _files)
        {
            if (file is not null)
            {
                file.Dispose();
                _folder.Delete(file.Name);
            }
        }
    }

    private Discrepancy? RunTransfers(IReadOnlyList<FsxOperation> batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            Prepare(batch[i], _buffers[i]);
        }

        var results = new IoResult[batch.Count];
        if (_queue is { } queue && batch[0].IsAsync)
        {
            for (int i = 0; i < batch.Count; i++)
            {
                queue.Add(i, ToTransfer(batch[i], _buffers[i]));
            }

            queue.Submit();
            for (int left = batch.Count; left > 0; left--)
            {
                int slot = queue.Take(out IoResult result);
                results[slot] = result;
            }
        }
        else
        {
            for (int i = 0; i < batch.Count; i++)
            {
                Transfer t = ToTransfer(batch[i], _buffers[i]);
                results[i] = t.IsWrite ? t.File.Write(t.Memory, t.Offset, t.Modes) : t.File.Read(t.Memory, t.Offset, t.Modes);
            }
        }

        Discrepancy? found = null;
        for (int i = 0; i < batch.Count; i++)
        {
            found ??= JudgeTransfer(batch[i], _buffers[i], results[i]);
        }

        return found;
    }

    private Transfer ToTransfer(in FsxOperation operation, TransferBuffer buffer)
    {
        bool isAppend = operation.Kind == OperationKind.Append;
        return new Transfer(
            _files[operation.File],
            operation.Kind != OperationKind.Read,
            buffer.Memory,
            isAppend ? 0 : operation.Offset,
            operation.Modes | (isAppend ? TransferModes.Append : 0));
    }

    private void Prepare(in FsxOperation operation, TransferBuffer buffer)
    {
        int alignment = operation.IsDirect ? _rules.Abilities.DirectAlignment : 1;
        buffer.Lay((int)operation.Length, Math.Max(operation.Pieces, 1), alignment, operation.Number);
        if (operation.Kind == OperationKind.Read)
        {
            buffer.Spoil();
        }
        else
        {
            Span<byte> bytes = _wanted.AsSpan(0, (int)operation.Length);
            _tag.Fill(bytes, operation.Number, operation.File, PlaceOf(operation));
            buffer.Set(bytes);
        }
    }

    private long PlaceOf(in FsxOperation operation) =>
        operation.Kind == OperationKind.Append ? _images[operation.File].Size : operation.Offset;

    private Discrepancy? JudgeTransfer(in FsxOperation operation, TransferBuffer buffer, IoResult result)
    {
        if (result.IsFailed)
        {
            return JudgeFault(operation, operation.File, result.Fault, operation.Kind.ToWord());
        }

        FileImage image = _images[operation.File];
        long wanted = operation.Kind == OperationKind.Read ? Math.Clamp(image.Size - operation.Offset, 0, operation.Length) : operation.Length;
        if (result.Bytes != wanted)
        {
            return JudgeShort(operation, result.Bytes, wanted);
        }

        if (operation.Kind == OperationKind.Read)
        {
            return Compare(operation, operation.File, operation.Offset, buffer.Get((int)wanted));
        }

        image.Write(PlaceOf(operation), buffer.Get((int)wanted));
        return null;
    }

    private Discrepancy? JudgeShort(in FsxOperation operation, long bytes, long wanted)
    {
        if (operation.Kind != OperationKind.Read)
        {
            RequireRoomForRest(operation, operation.File, PlaceOf(operation), bytes, wanted);
        }

        return new Discrepancy(
            operation, _position, operation.File, $"{operation.Kind.ToWord()} of {operation.Length} bytes returned {bytes} where {wanted} are due");
    }

    private Discrepancy? RunOne(in FsxOperation operation)
    {
        StressFile file = _files[operation.File];
        FileImage image = _images[operation.File];
        string word = operation.Kind.ToWord();
        switch (operation.Kind)
        {
            case OperationKind.MapRead or OperationKind.MapWrite:
                return RunMapped(operation, file, image);
            case OperationKind.Copy:
                return RunCopy(operation, file, image);
            case OperationKind.Seek:
                return RunSeek(operation, file, image);
            case OperationKind.Truncate:
                return JudgeChange(operation, file.SetLength(operation.Offset), static (o, i) => i.SetLength(o.Offset));
            case OperationKind.Sync or OperationKind.DataSync:
                return JudgeFault(operation, operation.File, file.Flush(operation.Kind == OperationKind.DataSync), word);
            case OperationKind.Reopen:
                return JudgeFault(operation, operation.File, file.Flush(dataOnly: false), "sync")
                    ?? JudgeFault(operation, operation.File, file.Reopen(), word);
            case OperationKind.Remount:
                return JudgeFault(operation, operation.File, _folder.Remount(), word);
            case OperationKind.Drop:
                return JudgeFault(operation, operation.File, file.DropCache(operation.Offset, operation.Length), word);
            default:
                IoFault fault = file.ChangeRange(operation.Kind.ToRangeChange()!.Value, operation.Offset, operation.Length);
                return JudgeChange(operation, fault, ApplyRangeChange);
        }
    }

    private static void ApplyRangeChange(FsxOperation operation, FileImage image)
    {
        switch (operation.Kind)
        {
            case OperationKind.Allocate:
                image.Extend(operation.End);
                break;
            case OperationKind.Zero:
                image.Clear(operation.Offset, operation.Length);
                image.Extend(operation.End);
                break;
            case OperationKind.ZeroKeep or OperationKind.Punch:
                image.Clear(operation.Offset, operation.Length);
                break;
            case OperationKind.Collapse:
                image.Collapse(operation.Offset, operation.Length);
                break;
            case OperationKind.Insert:
                image.Insert(operation.Offset, operation.Length);
                break;
            default:
                break;
        }
    }

    private Discrepancy? RunMapped(in FsxOperation operation, StressFile file, FileImage image)
    {
        bool isWrite = operation.Kind == OperationKind.MapWrite;
        TransferBuffer buffer = _buffers[0];
        Prepare(operation with { Kind = isWrite ? OperationKind.Write : OperationKind.Read, Pieces = 1, Modes = TransferModes.Buffered }, buffer);
        IoResult result = isWrite
            ? file.WriteMapped(buffer.Memory[0], operation.Offset, operation.Modes)
            : file.ReadMapped(buffer.Memory[0], operation.Offset);
        if (result.Fault == IoFault.DeviceFailed && isWrite)
        {
            // A store that finds no space kills a program; what it meets as a write says whether that was the reason.
            RequireTarget(operation, operation.File, file.Write(buffer.Memory, operation.Offset, TransferModes.Buffered).Fault, "write");
        }

        if (result.IsFailed)
        {
            return JudgeFault(operation, operation.File, result.Fault, operation.Kind.ToWord());
        }

        ReadOnlySpan<byte> bytes = buffer.Get((int)operation.Length);
        if (!isWrite)
        {
            return Compare(operation, operation.File, operation.Offset, bytes);
        }

        image.Write(operation.Offset, bytes);
        return null;
    }

    private Discrepancy? RunCopy(in FsxOperation operation, StressFile file, FileImage image)
    {
        IoResult result = file.CopyRange(operation.Offset, _files[operation.TargetFile], operation.Target, operation.Length);
        if (result.IsFailed)
        {
            return JudgeFault(operation, operation.TargetFile, result.Fault, "copy");
        }

        long wanted = _images[operation.TargetFile].Copy(image, operation.Offset, operation.Target, operation.Length);
        if (result.Bytes < wanted)
        {
            RequireRoomForRest(operation, operation.TargetFile, operation.Target, result.Bytes, wanted);
        }

        return result.Bytes == wanted ? null : new Discrepancy(
            operation, _position, operation.TargetFile, $"copy of {operation.Length} bytes returned {result.Bytes} where {wanted} are due");
    }

    private Discrepancy? RunSeek(in FsxOperation operation, StressFile file, FileImage image)
    {
        IoFault fault = file.Find(isData: true, operation.Offset, out long data);
        IoFault holeFault = file.Find(isData: false, operation.Offset, out long hole);
        foreach (IoFault one in (IoFault[])[fault, holeFault])
        {
            if (one is not (IoFault.None or IoFault.NoSuchRange))
            {
                return JudgeFault(operation, operation.File, one, "seek");
            }
        }

        bool isInside = operation.Offset < image.Size;
        string? wrong = !isInside ? (fault == IoFault.NoSuchRange && holeFault == IoFault.NoSuchRange ? null : "a seek at or past the end found something")
            : holeFault != IoFault.None ? "SEEK_HOLE found nothing inside the file, whose end is a hole"
            : hole < operation.Offset || hole > image.Size ? $"SEEK_HOLE went to 0x{hole:x}"
            : fault == IoFault.None && (data < operation.Offset || data >= image.Size) ? $"SEEK_DATA went to 0x{data:x}"
            : null;
        if (wrong is not null || !isInside)
        {
            return wrong is null ? null : new Discrepancy(operation, _position, operation.File, $"{wrong}, of 0x{image.Size:x} bytes");
        }

        // What is called a hole has no byte but zero in it.
        long end = fault == IoFault.None ? data : image.Size;
        int index = image.Bytes[(int)operation.Offset..(int)end].IndexOfAnyExcept((byte)0);
        return index < 0 ? null : new Discrepancy(
            operation, _position, operation.File, $"SEEK_DATA skipped data at 0x{operation.Offset + index:x}, and went to 0x{end:x}");
    }

    private Discrepancy? JudgeChange(in FsxOperation operation, IoFault fault, Action<FsxOperation, FileImage> change)
    {
        if (fault != IoFault.None)
        {
            return JudgeFault(operation, operation.File, fault, operation.Kind.ToWord());
        }

        change(operation, _images[operation.File]);
        return null;
    }

    /// <summary>A fault on what is legal: the target refuses such things, cannot go on, or is wrong.</summary>
    private Discrepancy? JudgeFault(in FsxOperation? operation, int file, IoFault fault, string what)
    {
        if (fault == IoFault.None)
        {
            return null;
        }

        if (fault == IoFault.NotSupported && operation is { } refused)
        {
            _rules.Abilities.Refuse(refused.Kind.ToWord());
            return null;
        }

        RequireTarget(operation, file, fault, what);
        return new Discrepancy(operation, _position, file, $"{what} failed: {fault.Describe()}");
    }

    /// <summary>A write that stopped half-way is excused by what the next ones meet: a target that is full.</summary>
    private void RequireRoomForRest(in FsxOperation operation, int file, long start, long done, long wanted)
    {
        var rest = new byte[Math.Max(0, wanted - done)];
        while (done < wanted)
        {
            IoResult retry = _files[file].Write([rest.AsMemory(0, (int)(wanted - done))], start + done, TransferModes.Buffered);
            RequireTarget(operation, file, retry.Bytes == 0 && !retry.IsFailed ? IoFault.NoSpace : retry.Fault, operation.Kind.ToWord());
            done += retry.Bytes;
        }
    }

    /// <summary>Ends the run where the fault is of a target that is full, gone or broken, rather than wrong.</summary>
    private void RequireTarget(in FsxOperation? operation, int file, IoFault fault, string what)
    {
        bool isEnd = fault is IoFault.NoSpace or IoFault.QuotaExceeded or IoFault.NotFound or IoFault.Stale or IoFault.BadHandle or IoFault.ReadOnly
            or IoFault.NotPermitted or IoFault.AccessDenied or IoFault.NoMemory or IoFault.NoSuchRange or IoFault.NotADirectory or IoFault.Cancelled;
        if (isEnd || (fault is IoFault.DeviceFailed or IoFault.Corrupt && !IsAlive()))
        {
            throw new TargetFailedException(
                fault, $"{_folder.Name}: {what} failed{(operation is { } o ? $" at operation {o.Number}" : string.Empty)}: {fault.Describe()}");
        }
    }

    /// <summary>Whether the target still takes a new file: what fails an old one is then its own affair.</summary>
    private bool IsAlive()
    {
        string name = $"{_folder.FilePrefix}alive.1";
        try
        {
            using StressFile file = _folder.Open(name, isNew: true);
            return file.Write([new byte[512]], 0, TransferModes.Buffered).Fault == IoFault.None && file.Flush(dataOnly: false) == IoFault.None;
        }
        catch (FileSystemException)
        {
            return false;
        }
        finally
        {
            _folder.Delete(name);
        }
    }

    private Discrepancy? CheckLength(in FsxOperation? operation, int file)
    {
        IoFault fault = _files[file].GetLength(out long length);
        long wanted = _images[file].Size;
        return fault != IoFault.None ? JudgeFault(operation, file, fault, "stat")
            : length != wanted ? new Discrepancy(operation, _position, file, $"the size is 0x{length:x} and should be 0x{wanted:x}")
            : null;
    }

    private Discrepancy? CheckContent(int file, TransferModes modes)
    {
        long step = _rules.Options.MaxTransfer / 4096 * 4096;
        step = step == 0 ? _rules.Options.MaxTransfer : step;
        int alignment = Math.Max(_rules.Abilities.DirectAlignment, 1);
        for (long offset = 0; offset <= _images[file].Size; offset += step)
        {
            // Up to the end and beyond: a direct read is cut there, not refused.
            long length = step;
            if (modes == TransferModes.Direct)
            {
                long left = _rules.ReadsDirectPastEnd ? step : Math.Min(step, _images[file].Size - offset);
                length = (left + alignment - 1) / alignment * alignment;
                if (length == 0 || length > _rules.Options.MaxTransfer || offset % alignment != 0)
                {
                    return null;
                }
            }

            var read = new FsxOperation { Number = 0, Kind = OperationKind.Read, File = file, Offset = offset, Length = length, Modes = modes };
            Prepare(read, _buffers[0]);
            IoResult result = _files[file].Read(_buffers[0].Memory, offset, modes);
            if (JudgeTransfer(read, _buffers[0], result) is { } found)
            {
                return found with { Operation = null, What = $"{found.What}, when all of it was compared ({(modes == 0 ? "buffered" : "direct")})" };
            }
        }

        return null;
    }

    private Discrepancy? Compare(in FsxOperation operation, int file, long offset, ReadOnlySpan<byte> found)
    {
        Span<byte> wanted = _wanted.AsSpan(0, found.Length);
        _images[file].Read(offset, wanted);
        int first = found.CommonPrefixLength(wanted);
        if (first == found.Length)
        {
            return null;
        }

        long count = 0;
        for (int i = first; i < found.Length; i++)
        {
            count += found[i] != wanted[i] ? 1 : 0;
        }

        int start = (int)Math.Max((((offset + first) & ~15L) - 16) - offset, 0);
        int length = Math.Min(96, found.Length - start);
        return new Discrepancy(operation, _position, file, count == 1 ? "a byte is wrong" : $"{count} bytes are wrong")
        {
            Offset = offset + first,
            Count = count,
            ExcerptOffset = offset + start,
            Expected = wanted.Slice(start, length).ToArray(),
            Found = found.Slice(start, length).ToArray(),
            Tag = _tag,
        };
    }
}
