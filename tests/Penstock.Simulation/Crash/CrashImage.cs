using System.Collections.Concurrent;
using Penstock.Caching;
using Penstock.Ext4;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Mapping;
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
    private const uint JournalInode = 8;

    private static readonly ConcurrentDictionary<string, Lazy<CrashImage>> s_images = new(StringComparer.Ordinal);

    public static CrashImage Of(CrashShape shape) => s_images.GetOrAdd(shape.Name, _ => new Lazy<CrashImage>(() => Make(shape))).Value;

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
        content.HashContent();
        content.Freeze();
        (long offset, long length) = shape.HasJournal ? turns.Complete(FindJournalAsync(turns)) : (0, 0);
        return new CrashImage(content.Freeze(), offset, length);
    }

    /// <summary>A fresh journal lies in one piece, or nearly.</summary>
    private static async Task<(long Offset, long Length)> FindJournalAsync(PlainTurns turns)
    {
        var pages = new PageCache(turns.Scheduler, 1 << 20);
        Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(turns.Device, pages, new Ext4OpenOptions { IsReadOnly = true });
        Inode journal = await fileSystem.LoadAsync(new InodeNumber(JournalInode), InodePurpose.Internal);
        BlockRun run = await journal.Mapper!.MapAsync(default, (ulong)journal.Size / (ulong)fileSystem.BlockSize);
        await fileSystem.DisposeAsync();
        pages.Abandon();
        return ((long)run.Volume.Value * fileSystem.BlockSize, journal.Size);
    }
}
