using Penstock.Caching;
using Penstock.Devices;
using Penstock.DirectIO;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Testing.InMemory;

/// <summary>A regular file whose metadata is in memory and whose data is on a device.</summary>
internal class MemoryInode : Inode
{
    private readonly MemoryFileSystem _fileSystem;
    private readonly Dictionary<FileName, byte[]> _attributes = [];
    private byte[]? _inline;

    public MemoryInode(MemoryFileSystem fileSystem, InodeNumber number, in InodeAttributes attributes, MemoryFileKind kind)
        : base(fileSystem, number, attributes, size: 0)
    {
        _fileSystem = fileSystem;
        MemoryKind = kind;
        ProtectsItselfNow = kind == MemoryFileKind.ProtectsItself;
        Blocks = new MemoryMapper(fileSystem, canBeUnwritten: kind != MemoryFileKind.BlockMapped);
        HasPages = true;
        _inline = kind == MemoryFileKind.Inline ? [] : null;
    }

    public MemoryFileKind MemoryKind { get; }

    public MemoryMapper Blocks { get; }

    /// <summary>Whether the inode is noted as an orphan.</summary>
    public bool IsOrphan { get; private set; }

    /// <summary>How often the inode was noted as an orphan.</summary>
    public int OrphanNotes { get; private set; }

    /// <summary>How often direct writes ended by the callback of a file that protects itself.</summary>
    public List<(long Offset, long Bytes)> EndedWrites { get; } = [];

    /// <summary>Run inside the end-of-I/O of a direct write, where the gate must still be held.</summary>
    public Func<ValueTask>? DuringEndOfIo { get; set; }

    public override BlockMapper? Mapper => Blocks;

    public override ulong Sectors => (ulong)Blocks.BlockCount * (ulong)_fileSystem.BlockSize / 512;

    /// <summary>As a file says it now: to be changed while a request is in flight, which has chosen already.</summary>
    public bool ProtectsItselfNow { get; set; }

    /// <summary>How many requests went to the file's own direct I/O.</summary>
    public int OwnRequests { get; private set; }

    public override bool ProtectsItself => ProtectsItselfNow;

    public override bool HasOwnDirectIo => MemoryKind == MemoryFileKind.OwnDirectIo;

    public override bool HasInlineData => _inline is not null;

    public override int InlineCapacity => 160;

    public override int OrphanCredits => 1;

    public override bool MayHaveCapabilities => _attributes.Count > 0;

    public override bool HasNoAttributes => _attributes.Count == 0;

    public override void ReadInline(Span<byte> destination)
    {
        destination.Clear();
        _inline.CopyTo(destination);
    }

    public override async ValueTask WriteInlineAsync(ReadOnlyMemory<byte> content)
    {
        await _fileSystem.Scheduler.Yield();
        if (!HasInlineData || content.Length > InlineCapacity)
        {
            throw new InvalidOperationException($"{Number} takes no {content.Length} inline bytes.");
        }

        _inline = content.ToArray();
        StoredSize = Math.Max(StoredSize, content.Length);
    }

    public override async ValueTask ConvertFromInlineAsync()
    {
        byte[] content = _inline!;
        if (content.Length > 0)
        {
            Handle handle = await _fileSystem.Journal.BeginAsync(1);
            BlockRun run = await Blocks.AllocateAsync(handle, default, 1, MapState.Mapped, fromReservation: false);
            handle.Stop();
            using var block = new AlignedBuffer(_fileSystem.BlockSize);
            content.CopyTo(block.GetSpan());
            await _fileSystem.Device.WriteAsync((long)run.Volume.Value * _fileSystem.BlockSize, block.Segment);
        }

        _inline = null;
    }

    public override async ValueTask TruncateBlocksAsync(long newSize)
    {
        await _fileSystem.Scheduler.Yield();
        if (_inline is { } inline)
        {
            _inline = inline[..(int)Math.Min(newSize, inline.Length)];
            StoredSize = newSize;
            return;
        }

        await FreeAsync((ulong)((newSize + _fileSystem.BlockSize - 1) / _fileSystem.BlockSize), ulong.MaxValue);
        StoredSize = newSize;
    }

    public override async ValueTask PunchBlocksAsync(FileBlock first, ulong count)
    {
        await _fileSystem.Scheduler.Yield();
        await FreeAsync(first.Value, first.Value + count);
    }

    public override async ValueTask CollapseBlocksAsync(FileBlock first, ulong count)
    {
        RequireExtents();
        await FreeAsync(first.Value, first.Value + count);
        Blocks.Shift(first.Value + count, -(long)count);
    }

    public override async ValueTask InsertBlocksAsync(FileBlock first, ulong count)
    {
        RequireExtents();
        await _fileSystem.Scheduler.Yield();
        Blocks.Shift(first.Value, (long)count);
    }

    public override async ValueTask ZeroBlocksAsync(FileBlock first, ulong count)
    {
        await _fileSystem.Scheduler.Yield();
        if (Blocks.CanBeUnwritten)
        {
            Blocks.MarkUnwritten(first.Value, first.Value + count);
        }
        else
        {
            await FreeAsync(first.Value, first.Value + count);
        }
    }

    public override ValueTask AddOrphanAsync(Handle handle)
    {
        IsOrphan = true;
        OrphanNotes++;
        return ValueTask.CompletedTask;
    }

    public override ValueTask RemoveOrphanAsync(Handle handle)
    {
        IsOrphan = false;
        return ValueTask.CompletedTask;
    }

    public override async ValueTask EndDirectWriteAsync(long offset, long bytes, IReadOnlyList<BlockRun> unwritten)
    {
        EndedWrites.Add((offset, bytes));
        Handle handle = await _fileSystem.Journal.BeginAsync(1);
        foreach (BlockRun run in unwritten)
        {
            await Blocks.ConvertAsync(handle, run.First, run.Count);
        }

        handle.Stop();
        Size = Math.Max(Size, offset + bytes);
        StoredSize = Size;
    }

    public override async ValueTask<IoResult> ReadDirectAsync(SegmentList memory, long offset)
    {
        OwnRequests++;
        DirectIoRequest request = DirectIoRequest.Rent(_fileSystem.Device, DeviceOperation.Read, memory);
        await DirectIoEngine.SubmitReadAsync(request, _fileSystem.Device, Blocks, offset, memory.Length, Size);
        request.EndSubmission();
        IoResult result = await request.Completion;
        request.Return();
        return result;
    }

    public override async ValueTask<IoResult> WriteDirectAsync(SegmentList memory, long offset)
    {
        OwnRequests++;
        DirectWrite write = DirectWrite.Rent(Blocks, _fileSystem.Journal, offset, offset + memory.Length, Size, isExclusive: true);
        DirectIoRequest request = DirectIoRequest.Rent(_fileSystem.Device, DeviceOperation.Write, memory);
        await DirectIoEngine.SubmitWriteAsync(request, _fileSystem.Device, write);
        request.EndSubmission();
        IoResult result = await request.Completion;
        Handle handle = await _fileSystem.Journal.BeginAsync(1);
        foreach (BlockRun run in request.UnwrittenRuns)
        {
            await Blocks.ConvertAsync(handle, run.First, run.Count);
        }

        handle.Stop();
        request.Return();
        write.Return();
        return result;
    }

    public override ValueTask<byte[]?> GetAttributeAsync(FileName name) => new(_attributes.GetValueOrDefault(name));

    public override ValueTask<IReadOnlyList<FileName>> ListAttributesAsync() => new([.. _attributes.Keys]);

    public override ValueTask SetAttributeAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition)
    {
        if (value is { } bytes)
        {
            _attributes[name] = bytes.ToArray();
        }
        else
        {
            _attributes.Remove(name);
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<byte[]> ReadLinkAsync() => throw new FileSystemException(IoFault.InvalidArgument);

    protected override async ValueTask StoreRecordAsync(Handle handle)
    {
        if (DuringEndOfIo is { } during)
        {
            await during();
        }
    }

    private async ValueTask FreeAsync(ulong first, ulong end)
    {
        List<ulong> freed = Blocks.Remove(first, end);
        Handle handle = await _fileSystem.Journal.BeginAsync(1);
        foreach (ulong block in freed)
        {
            _fileSystem.Free(block);
            handle.Freed(new VolumeBlock(block), 1);
        }

        handle.Stop();
    }

    private void RequireExtents()
    {
        if (!Blocks.CanBeUnwritten)
        {
            throw new FileSystemException(IoFault.NotSupported, "a block-mapped file cannot be shifted");
        }
    }
}
