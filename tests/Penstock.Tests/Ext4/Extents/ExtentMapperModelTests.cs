using Penstock.Mapping;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Extents;

/// <summary>The extent mapper beside its naive twin, under random operations from a seed that is part of the test's name.</summary>
public sealed class ExtentMapperModelTests
{
    private const int Operations = 250;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mapper_and_model_agree(int seed) => Drive(new EmptyVolume(), seed);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mapper_and_model_agree_with_small_groups_flex_and_lazy_bitmaps(int seed) =>
        Drive(new EmptyVolume { BlocksPerGroup = 256, Blocks = 4096 + 100, InodesPerGroup = 16, LogGroupsPerFlex = 2, IsLazy = true }, seed);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mapper_and_model_agree_without_checksums(int seed) =>
        Drive(new EmptyVolume { HasChecksums = false, Is64Bit = false, BlockSize = 2048, BlocksPerGroup = 512, Blocks = 3000 }, seed);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mapper_and_model_agree_with_clusters(int seed) =>
        Drive(new EmptyVolume { ClusterRatio = 8, BlocksPerGroup = 4096, Blocks = 4 * 4096, InodesPerGroup = 32 }, seed);

    private static void Drive(EmptyVolume shape, int seed)
    {
        var volume = new TestVolume(shape, seed);
        volume.Scheduler.Run(async () =>
        {
            var random = new Random(seed);
            var fixture = new MapperFixture(volume);
            for (int i = 0; i < 3; i++)
            {
                fixture.AddFile();
            }

            for (int i = 0; i < Operations; i++)
            {
                TestFile file = fixture.Files[random.Next(fixture.Files.Count)];
                await StepAsync(file, random, shape.ClusterRatio);
                if (i % 50 == 49)
                {
                    await fixture.CheckAsync();
                }
            }

            foreach (TestFile file in fixture.Files)
            {
                await file.CheckMapAsync(0, 2000);
                await file.RemoveAsync(0, uint.MaxValue);
            }

            await fixture.CheckAsync();
            Assert.Equal(volume.Volume.Superblock.FreeBlockCount, volume.Volume.Space.FreeBlocks);
        });
    }

    private static async Task StepAsync(TestFile file, Random random, uint ratio)
    {
        ulong first = (ulong)random.Next(1000);
        ulong count = (ulong)(random.Next(4) == 0 ? random.Next(1, 200) : random.Next(1, 8));
        ulong mask = ~((ulong)ratio - 1);
        switch (random.Next(12))
        {
            case < 3:
                await file.AllocateAsync(first, count, MapState.Unwritten);
                break;
            case < 5:
                await file.AllocateAsync(first, count, MapState.Mapped, isReserved: true);
                break;
            case 5:
                // Every other block: what makes a tree grow.
                for (ulong i = 0; i < 40; i++)
                {
                    await file.AllocateAsync(first + (2 * i), 1, random.Next(2) == 0 ? MapState.Mapped : MapState.Unwritten);
                }

                break;
            case 6:
                await file.ConvertAsync(first, count);
                break;
            case 7:
                await file.RemoveAsync(first, count);
                break;
            case 8:
                await file.ZeroAsync(first, count);
                break;
            case 9:
                await file.CollapseAsync(first & mask, ratio * count);
                break;
            case 10:
                await file.InsertAsync(first & mask, ratio * (ulong)random.Next(1, 20));
                break;
            default:
                await file.CheckMapAsync(first, count);
                break;
        }
    }
}
