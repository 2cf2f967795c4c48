using System.Buffers.Binary;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Simulation.Devices;

/// <summary>Where the journal of a fresh volume lies on the device: in one piece, or nearly.</summary>
/// <param name="Offset">Its first byte.</param>
/// <param name="Length">Its bytes; 0 where the volume has none.</param>
internal readonly record struct JournalPlace(long Offset, long Length)
{
    private const int LengthOfLog = 0x10;
    private const uint JournalInode = 8;

    /// <summary>Looks it up. Nobody has the volume open.</summary>
    public static async Task<JournalPlace> FindAsync(BlockDevice device)
    {
        var pages = new PageCache(device.Scheduler, 1 << 20);
        Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(device, pages, new Ext4OpenOptions { IsReadOnly = true });
        Inode journal = await fileSystem.LoadAsync(new InodeNumber(JournalInode), InodePurpose.Internal);
        BlockRun run = await journal.Mapper!.MapAsync(default, (ulong)journal.Size / (ulong)fileSystem.BlockSize);
        await fileSystem.DisposeAsync();
        pages.Abandon();
        return new JournalPlace((long)run.Volume.Value * fileSystem.BlockSize, journal.Size);
    }

    /// <summary>Has only so many of its blocks used, fewer than any mkfs makes, so that the log goes round often and is full now and then.</summary>
    public void Shorten(ChunkMemory content, int blocks)
    {
        Span<byte> field = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(field, blocks);
        content.Write(Offset + LengthOfLog, field);
    }
}
