using Penstock.Stress.Targets;

namespace Penstock.Tests.Stress;

/// <summary>A file in memory, in two layers as a real one (cache and device), with one bug.</summary>
internal sealed class FaultyFile(string name, PlantedBug bug) : StressFile(name)
{
    private const int Capacity = 4 << 20;
    private const int Page = 4096;

    private readonly byte[] _cache = new byte[Capacity];
    private readonly byte[] _device = new byte[Capacity];
    private long _size;

    public override IoFault GetLength(out long length)
    {
        length = _size;
        return IoFault.None;
    }

    public override IoResult Read(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes)
    {
        if (modes.HasFlag(TransferModes.Direct) && bug != PlantedBug.DirectReadMissesCache)
        {
            WriteBack();
        }

        byte[] source = modes.HasFlag(TransferModes.Direct) ? _device : _cache;
        long done = 0;
        foreach (Memory<byte> piece in memory)
        {
            int length = (int)Math.Clamp(_size - offset - done, 0, piece.Length);
            source.AsSpan((int)(offset + done), length).CopyTo(piece.Span);
            done += length;
        }

        bool isCut = done > 0 && done < memory.Sum(m => m.Length);
        return IoResult.Transferred(bug == PlantedBug.ShortRead && isCut ? done - 1 : done);
    }

    public override IoResult Write(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes)
    {
        if (bug == PlantedBug.RefusesOddOffsets && offset % Page == Page - 1)
        {
            return IoResult.Failed(IoFault.InvalidArgument);
        }

        offset = modes.HasFlag(TransferModes.Append) ? _size : offset;
        byte[] bytes = [.. memory.SelectMany(m => m.ToArray())];
        if (bug == PlantedBug.DroppedAppend && modes.HasFlag(TransferModes.Append) && _size % Page == 0)
        {
            Grow(offset + bytes.Length);
            return IoResult.Transferred(bytes.Length);
        }

        Span<byte> old = new byte[bytes.Length];
        _cache.AsSpan((int)offset, bytes.Length).CopyTo(old);
        int kept = bug == PlantedBug.TornVectors && memory.Count > 3 ? memory.Take(3).Sum(m => m.Length) : bytes.Length;
        old[kept..].CopyTo(bytes.AsSpan(kept));
        if (bug == PlantedBug.LostPage && offset % Page == 0 && bytes.Length >= 2 * Page)
        {
            old.Slice(Page, Page).CopyTo(bytes.AsSpan(Page));
        }

        FillGap(offset);
        Grow(offset + bytes.Length);
        if (modes.HasFlag(TransferModes.Direct))
        {
            WriteBack();
            bytes.CopyTo(_device, offset);
        }

        if (!modes.HasFlag(TransferModes.Direct) || bug != PlantedBug.DirectWriteLeavesCache)
        {
            bytes.CopyTo(_cache, offset);
        }

        return IoResult.Transferred(bytes.Length);
    }

    public override IoFault SetLength(long length)
    {
        if (length < _size && bug != PlantedBug.StaleTail)
        {
            Clear(length, _size - length);
        }

        _size = length;
        return IoFault.None;
    }

    public override IoFault ChangeRange(FileRangeChange change, long offset, long length)
    {
        WriteBack();
        switch (change)
        {
            case FileRangeChange.Allocate:
                Grow(offset + length);
                break;
            case FileRangeChange.AllocateKeepingSize when bug == PlantedBug.SizeMoves:
                Grow(offset + length);
                break;
            case FileRangeChange.AllocateKeepingSize:
                break;
            case FileRangeChange.PunchHole or FileRangeChange.Zero or FileRangeChange.ZeroKeepingSize:
                Clear(offset, bug == PlantedBug.PunchTooFar && change == FileRangeChange.PunchHole ? length + 1 : length);
                Grow(change == FileRangeChange.Zero ? offset + length : 0);
                break;
            case FileRangeChange.Collapse:
                int skip = bug == PlantedBug.CollapseShifts ? 1 : 0;
                Move(offset + length - skip, offset, _size - offset - length + skip);
                Clear(_size - length, length);
                _size -= length;
                break;
            default:
                Move(offset, offset + length, _size - offset);
                _size += length;
                if (bug != PlantedBug.InsertShowsOld)
                {
                    Clear(offset, length);
                }

                break;
        }

        WriteBack();
        return IoFault.None;
    }

    public override IoResult CopyRange(long offset, StressFile target, long targetOffset, long length)
    {
        long there = Math.Clamp(_size - offset, 0, length);
        if (there == 0)
        {
            return IoResult.Transferred(0);
        }

        Memory<byte> bytes = _cache.AsMemory((int)offset, (int)there).ToArray();
        long kept = bug == PlantedBug.CopyLosesTail && there > 512 ? there / 512 * 512 : there;
        ((FaultyFile)target).Write([bytes[..(int)kept]], targetOffset, TransferModes.Buffered);
        ((FaultyFile)target).Grow(targetOffset + there);
        return IoResult.Transferred(there);
    }

    public override IoFault Flush(bool dataOnly)
    {
        WriteBack();
        return IoFault.None;
    }

    public override IoFault Reopen()
    {
        if (bug == PlantedBug.ReopenCutsSize)
        {
            SetLength(_size / 512 * 512);
        }

        return IoFault.None;
    }

    public override IoFault DropCache(long offset, long length)
    {
        if (bug == PlantedBug.DropLosesDirty)
        {
            _device.CopyTo(_cache, 0);
        }

        WriteBack();
        return IoFault.None;
    }

    public override IoFault Find(bool isData, long offset, out long found)
    {
        int skipped = bug == PlantedBug.SeekSkipsData && isData && offset % Page == 0 && offset + Page < _size ? Page : 0;
        found = isData ? offset + skipped : _size;
        return offset >= _size ? IoFault.NoSuchRange : IoFault.None;
    }

    public override IoResult ReadMapped(Memory<byte> memory, long offset)
    {
        memory.Span.Clear();
        _cache.AsSpan((int)offset, (int)Math.Min(memory.Length, _size - offset)).CopyTo(memory.Span);
        return IoResult.Transferred(memory.Length);
    }

    public override IoResult WriteMapped(Memory<byte> memory, long offset, TransferModes modes)
    {
        int kept = bug == PlantedBug.MappedPageLost ? (int)Math.Min(memory.Length, Page - (offset % Page)) : memory.Length;
        Write([memory[..kept]], offset, TransferModes.Buffered);
        return IoResult.Transferred(memory.Length);
    }

    protected override void Dispose(bool isDisposing)
    {
    }

    private void FillGap(long offset)
    {
        if (bug == PlantedBug.GapNotZero && offset > _size)
        {
            _cache.AsSpan((int)_size, (int)(offset - _size)).Fill(0xEE);
        }
    }

    private void Grow(long size) => _size = Math.Max(_size, size);

    private void WriteBack() => _cache.CopyTo(_device, 0);

    private void Move(long from, long to, long length)
    {
        _cache.AsSpan((int)from, (int)length).CopyTo(_cache.AsSpan((int)to));
    }

    private void Clear(long offset, long length) => _cache.AsSpan((int)offset, (int)length).Clear();
}
