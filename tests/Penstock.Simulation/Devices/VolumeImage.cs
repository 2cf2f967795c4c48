using System.Collections.Concurrent;
using Penstock.Caching;
using Penstock.Ext4;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Devices;

/// <summary>
/// A volume as runs find it: made by the library's own mkfs on a device full of poison, with a few empty files. Made once for each shape; runs
/// clone it.
/// </summary>
internal sealed class VolumeImage
{
    public const int FileCount = 4;
    private const ushort SetUserIdMode = 0x89ED;
    private const ushort PlainMode = 0x81A4;

    private static readonly ConcurrentDictionary<string, Lazy<VolumeImage>> s_images = new(StringComparer.Ordinal);

    private readonly ChunkMemory _content;

    private VolumeImage(VolumeShape shape)
    {
        Shape = shape;
        _content = new ChunkMemory(shape.Length);
        var poison = new byte[64 * 1024];
        for (long at = 0; at < shape.Length; at += poison.Length)
        {
            Tag.Poison(poison, at);
            _content.Write(at, poison);
        }
    }

    public VolumeShape Shape { get; }

    /// <summary>The first file has the setuid bit, for the first write to clear.</summary>
    public InodeNumber[] Files { get; } = new InodeNumber[FileCount];

    public static VolumeImage Of(VolumeShape shape) =>
        s_images.GetOrAdd(shape.Name, _ => new Lazy<VolumeImage>(() => Make(shape))).Value;

    public ChunkMemory Clone() => _content.Clone();

    private static VolumeImage Make(VolumeShape shape)
    {
        var image = new VolumeImage(shape);
        var scheduler = new SimulationScheduler(1, new Trace(keepsLines: false)) { Profile = new OrderProfile { Order = Order.Oldest } };
        var device = new SimulationDevice(scheduler, image._content, shape.Length, new Chance(1));
        Task making = image.FillAsync(device);
        if (!scheduler.RunUntil(() => making.IsCompleted, 10_000_000))
        {
            throw new InvalidOperationException($"Making a volume of {shape.Name} does not end.");
        }

        making.GetAwaiter().GetResult();
        image._content.Freeze();
        return image;
    }

    private async Task FillAsync(SimulationDevice device)
    {
        await Ext4Maker.MakeAsync(device, new MakingOptions
        {
            Kind = Shape.Kind,
            BlockSize = Shape.BlockSize,
            Features = Shape.Features,
            JournalLength = Shape.JournalLength,
            DiscardsFirst = false,
            InodeCount = 64,
            ReservedPercent = 0,
            Time = new Timestamp(1_704_067_200),
        });
        // Before its first use, from which on the journal's superblock may have a checksum.
        if (Shape.LogBlocks is { } blocks)
        {
            (await JournalPlace.FindAsync(device)).Shorten(_content, blocks);
        }

        var pages = new PageCache(device.Scheduler, 1 << 20);
        Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(device, pages, new Ext4OpenOptions());
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        for (int i = 0; i < FileCount; i++)
        {
            var node = new NewNode { Mode = i == 0 ? SetUserIdMode : PlainMode, UserId = 0, GroupId = 0 };
            Inode made = await names.MakeAsync(root, FileName.From($"file{i}"), node);
            Files[i] = made.Number;
            await fileSystem.Inodes.ReleaseAsync(made);
        }

        await fileSystem.Inodes.ReleaseAsync(root);
        await fileSystem.DisposeAsync();
        pages.Abandon();
    }
}
