using System.Buffers.Binary;
using System.Collections.Concurrent;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Journal.Format;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash;

/// <summary>Empty volumes on devices full of poison, made by the library's own mkfs once for each shape.</summary>
/// <param name="Content">What the device holds; cloned for each run.</param>
/// <param name="JournalOffset">Where the journal lies on the device, in bytes.</param>
/// <param name="JournalLength">Its bytes; 0 without one.</param>
internal sealed record CrashImage(ChunkMemory Content, long JournalOffset, long JournalLength)
{
    private const int Inodes = 256;
    private const int BootSectors = 1024;
    private const int StartOfLog = 0x1C;
    private const int IncompatOfVolume = 1024 + 0x60;

    private static readonly ConcurrentDictionary<string, Lazy<CrashImage>> s_images = new(StringComparer.Ordinal);

    public static CrashImage Of(CrashShape shape) => s_images.GetOrAdd(shape.Name, _ => new Lazy<CrashImage>(() => Make(shape))).Value;

    /// <summary>Whether a log has something to replay, and the volume does not say so: Linux would empty the log.</summary>
    public bool HasUnmarkedLog(ChunkMemory state)
    {
        Span<byte> field = stackalloc byte[4];
        state.Read(JournalOffset + StartOfLog, field);
        uint start = BinaryPrimitives.ReadUInt32BigEndian(field);
        state.Read(IncompatOfVolume, field);
        return JournalLength > 0 && start != 0 && ((IncompatFeatures)BinaryPrimitives.ReadUInt32LittleEndian(field) & IncompatFeatures.NeedsRecovery) == 0;
    }

    /// <summary>What is wrong with bytes that are written to the log, or null: what begins with the journal's magic number is one of the log's own blocks.</summary>
    public string? JudgeLogWrite(long offset, ReadOnlySpan<byte> bytes, int blockSize)
    {
        bool isInLog = offset >= JournalOffset && offset + bytes.Length <= JournalOffset + JournalLength;
        for (int at = 0; isInLog && at + blockSize <= bytes.Length; at += blockSize)
        {
            if (LogBlockHeader.TryRead(bytes[at..], out LogBlockHeader header) && !Enum.IsDefined(header.Type))
            {
                return $"what is written to the log at {offset + at} begins as one of its own blocks, and is none";
            }
        }

        return null;
    }

    private static CrashImage Make(CrashShape shape)
    {
        var content = new ChunkMemory(shape.Length);
        var poison = new byte[64 * 1024];
        for (long at = 0; at < shape.Length; at += poison.Length)
        {
            Tag.Poison(poison, at);
            content.Write(at, poison);
        }

        var turns = new PlainTurns(content, shape.Length);
        turns.Complete(Ext4Maker.MakeAsync(turns.Device, new MakingOptions
        {
            Kind = shape.Kind,
            BlockSize = shape.BlockSize,
            Features = shape.Features,
            JournalLength = shape.JournalLength,
            DiscardsFirst = false,
            InodeCount = Inodes,
            ReservedPercent = 0,
            Time = new Timestamp(1_704_067_200),
        }).AsTask());
        PutBootSector(content, shape);
        JournalPlace journal = shape.HasJournal ? turns.Complete(JournalPlace.FindAsync(turns.Device)) : default;
        if (shape.LogBlocks is { } blocks)
        {
            journal.Shorten(content, blocks);
        }

        content.HashContent();
        return new CrashImage(content.Freeze(), journal.Offset, journal.Length);
    }

    /// <summary>Where the superblock shares its block with a boot sector, that one begins like a block of the log.</summary>
    private static void PutBootSector(ChunkMemory content, CrashShape shape)
    {
        if (shape.BlockSize > BootSectors)
        {
            Span<byte> sectors = stackalloc byte[BootSectors];
            sectors.Fill(0x5A);
            BinaryPrimitives.WriteUInt32BigEndian(sectors, LogBlockHeader.Magic);
            content.Write(0, sectors);
        }
    }
}
