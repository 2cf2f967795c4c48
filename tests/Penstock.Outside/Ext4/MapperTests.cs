using Penstock.Ext4.Extents;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Testing.Execution;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Files of volumes that mke2fs made, grown, punched, shifted and cut by our mappers, judged by e2fsck.</summary>
public sealed class MapperTests : IDisposable
{
    private const int FileCount = 4;
    private const int Operations = 200;

    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>Type, features, block size, size in KiB.</summary>
    public static TheoryData<string, string, int, long> Volumes => new()
    {
        { "ext4", "", 4096, 256 << 10 },
        { "ext4", "", 1024, 40 << 10 },
        { "ext4", "^metadata_csum,uninit_bg", 1024, 64 << 10 },
        { "ext4", "^metadata_csum,^uninit_bg,^flex_bg,^64bit", 2048, 64 << 10 },
        { "ext4", "meta_bg,^resize_inode", 1024, 64 << 10 },
        { "ext4", "metadata_csum_seed,^has_journal", 4096, 64 << 10 },
        { "ext4", "bigalloc", 4096, 256 << 10 },
        { "ext4", "bigalloc,^resize_inode", 1024, 64 << 10 },
        { "ext4", "", 65536, 1 << 20 },
        { "ext4", "^extent,^64bit", 1024, 64 << 10 },
        { "ext3", "", 1024, 64 << 10 },
        { "ext3", "", 4096, 64 << 10 },
        { "ext2", "", 1024, 32 << 10 },
        { "ext2", "^sparse_super,^resize_inode", 4096, 64 << 10 },
    };

    [Theory]
    [MemberData(nameof(Volumes))]
    public void The_checker_finds_nothing(string type, string features, int blockSize, long sizeInKiB)
    {
        string image = MakeImage(type, features, blockSize, sizeInKiB);
        int seed = (blockSize * 31) + (int)sizeInKiB + features.Length;
        Drive(image, seed);
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, $"seed {seed}: e2fsck returned {code}:\n{output}");
    }

    private string MakeImage(string type, string features, int blockSize, long sizeInKiB)
    {
        string image = _scratch.MakeImage("volume", sizeInKiB << 10);
        string folder = _scratch["files"];
        Directory.CreateDirectory(folder);
        for (int i = 0; i < FileCount; i++)
        {
            File.WriteAllBytes(Path.Combine(folder, $"f{i}"), []);
        }

        string[] with = features.Length == 0 ? [] : ["-O", features];
        OutsideProgram.Run("mke2fs", ["-q", "-F", "-t", type, .. with, "-b", $"{blockSize}", "-d", folder, image]);
        return image;
    }

    private static void Drive(string image, int seed)
    {
        var scheduler = new ManualScheduler(seed);
        scheduler.Run(async () =>
        {
            await using var device = new ImageFileDevice(image, scheduler);
            byte[] raw = new byte[Superblock.Size];
            using (FileStream file = File.OpenRead(image))
            {
                file.Position = Superblock.VolumeOffset;
                file.ReadExactly(raw);
            }

            await using var volume = new TestVolume(device, Superblock.Parse(raw));
            var fixture = new MapperFixture(volume);
            for (ulong i = 0; i < FileCount; i++)
            {
                fixture.Add(await TestMapOwner.LoadAsync(volume.Volume, 12 + i));
            }

            var random = new Random(seed);
            for (int i = 0; i < Operations; i++)
            {
                await StepAsync(fixture.Files[random.Next(FileCount)], random, (ulong)volume.Geometry.ClusterRatio);
            }

            foreach (TestFile file in fixture.Files)
            {
                await file.CheckMapAsync(0, 3000);
                await StoreAsync(volume, file);
            }

            await volume.CommitAsync();
        });
    }

    private static Task StoreAsync(TestVolume volume, TestFile file)
    {
        file.Owner.Size = (long)(file.Model.End * (ulong)volume.Geometry.BlockSize);
        return volume.ChangeAsync(1, file.Owner.StoreAsync);
    }

    private static async Task StepAsync(TestFile file, Random random, ulong ratio)
    {
        ulong first = (ulong)random.Next(2000);
        ulong count = (ulong)(random.Next(4) == 0 ? random.Next(1, 400) : random.Next(1, 8));
        bool hasExtents = file.Mapper is ExtentMapper;
        ulong aligned = first & ~(ratio - 1);
        switch (random.Next(10))
        {
            case < 3:
                await file.AllocateAsync(first, count, hasExtents ? MapState.Unwritten : MapState.Mapped);
                break;
            case < 5:
                await file.AllocateAsync(first, count, MapState.Mapped, isReserved: true);
                break;
            case 5:
                for (ulong i = 0; i < 60; i++)
                {
                    await file.AllocateAsync(first + (2 * i), 1, MapState.Mapped);
                }

                break;
            case 6 when hasExtents:
                await file.ConvertAsync(first, count);
                break;
            case 7 when hasExtents:
                await file.CollapseAsync(aligned, ratio * (ulong)random.Next(1, 30));
                break;
            case 8 when hasExtents:
                await file.InsertAsync(aligned, ratio * (ulong)random.Next(1, 30));
                break;
            case 9 when hasExtents:
                await file.ZeroAsync(first, count);
                break;
            default:
                await file.RemoveAsync(first, count);
                break;
        }
    }
}
