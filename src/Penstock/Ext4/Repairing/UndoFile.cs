using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Penstock.Execution;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// What a volume held before it was repaired: docs/REPAIR.md has the format. Contents are durable in it before they are overwritten; each unit is
/// saved once, as it was before the first repair of this run.
/// </summary>
internal sealed class UndoFile : IDisposable
{
    public const int HeaderSize = 4096;
    public const int RecordHeaderSize = 16;
    public const int RecordSize = RecordHeaderSize + HeldWritesDevice.UnitSize;
    public const uint Version = 1;

    public const int ChecksumOffset = 0x40;

    private readonly Scheduler _scheduler;
    private readonly SafeFileHandle _file;
    private readonly UndoHeader _header;
    private readonly HashSet<long> _saved = [];
    private long _records;

    private UndoFile(Scheduler scheduler, SafeFileHandle file, UndoHeader header) => (_scheduler, _file, _header) = (scheduler, file, header);

    public static ReadOnlySpan<byte> Magic => "PSTKUNDO"u8;

    /// <summary>Makes a new file.</summary>
    /// <exception cref="FileSystemException">It is there already, or cannot be made.</exception>
    public static async ValueTask<UndoFile> CreateAsync(string path, Scheduler scheduler, Guid volume, long deviceLength)
    {
        await scheduler.SwitchToUserPlace();
        SafeFileHandle file = Guard(path, () => File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read));
        var made = new UndoFile(scheduler, file, new UndoHeader(volume, deviceLength, 0, null));
        Guard(path, () => made.WriteHeader(null));
        await scheduler.Yield();
        return made;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Takes the contents of a unit, unless it has been saved before. They count once <see cref="SealAsync"/> has returned.</summary>
    public async ValueTask SaveAsync(long unit, ReadOnlyMemory<byte> contents)
    {
        if (!_saved.Add(unit))
        {
            return;
        }

        byte[] record = new byte[RecordSize];
        BinaryPrimitives.WriteInt64LittleEndian(record, unit);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(8), contents.Length);
        contents.Span.CopyTo(record.AsSpan(RecordHeaderSize));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12), ChecksumOf(record));
        long offset = HeaderSize + (_records++ * RecordSize);
        await _scheduler.SwitchToUserPlace();
        Guard(null, () => RandomAccess.Write(_file, record, offset));
        await _scheduler.Yield();
    }

    /// <summary>Makes durable what was saved.</summary>
    public async ValueTask SealAsync()
    {
        await _scheduler.SwitchToUserPlace();
        Guard(null, () =>
        {
            RandomAccess.FlushToDisk(_file);
            WriteHeader(null);
        });
        await _scheduler.Yield();
    }

    /// <summary>Notes how the volume looks now: whoever changes it later makes the file useless.</summary>
    public async ValueTask FinishAsync(uint firstUnitHash)
    {
        await _scheduler.SwitchToUserPlace();
        Guard(null, () => WriteHeader(firstUnitHash));
        await _scheduler.Yield();
    }

    public static uint ChecksumOf(ReadOnlySpan<byte> record) =>
        Crc32C.Append(Crc32C.Append(Crc32C.Start, record[..12]), record[RecordHeaderSize..]);

    /// <summary>Runs an operation of a file and gives its failure a type.</summary>
    internal static T Guard<T>(string? path, Func<T> operation)
    {
        try
        {
            return operation();
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException or NotSupportedException) and not FileSystemException)
        {
            bool isFull = e is IOException { HResult: 28 };
            IoFault fault = e is UnauthorizedAccessException ? IoFault.AccessDenied : isFull ? IoFault.NoSpace : IoFault.DeviceFailed;
            throw new FileSystemException(fault, $"the undo file{(path is null ? string.Empty : $" {path}")}: {e.Message}", e);
        }
    }

    private static void Guard(string? path, Action operation) => Guard(path, () =>
    {
        operation();
        return 0;
    });

    private void WriteHeader(uint? firstUnitHash)
    {
        byte[] bytes = new byte[HeaderSize];
        (_header with { Records = _records, FirstUnitHash = firstUnitHash }).WriteTo(bytes, ChecksumOffset);
        RandomAccess.Write(_file, bytes, 0);
        RandomAccess.FlushToDisk(_file);
    }
}
