using Penstock.Ext4.Indirect;
using Penstock.Mapping;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Indirect;

/// <summary>The indirect mapper beside its naive twin, under random operations from a seed that is part of the test's name.</summary>
public sealed class IndirectMapperModelTests
{
    private const int Operations = 200;

    /// <summary>Places near the joints: the first block behind the direct ones, the single and the double indirect block.</summary>
    private static readonly ulong[] s_places = [0, 10, 12 + 250, 12 + 256, 12 + 256 + 250, 12 + 256 + (256 * 256) - 5, 12 + 256 + (256 * 256) + 300];

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Mapper_and_model_agree(int seed)
    {
        var volume = new TestVolume(new EmptyVolume { HasChecksums = seed % 2 == 0 }, seed);
        volume.Scheduler.Run(async () =>
        {
            var random = new Random(seed);
            var fixture = new MapperFixture(volume);
            fixture.AddFile(hasExtents: false);
            fixture.AddFile(hasExtents: false);
            fixture.AddFile();
            for (int i = 0; i < Operations; i++)
            {
                await StepAsync(fixture.Files[random.Next(fixture.Files.Count)], random);
                if (i % 50 == 49)
                {
                    await fixture.CheckAsync();
                }
            }

            foreach (TestFile file in fixture.Files)
            {
                await file.CheckMapAsync(0, 70000);
                await file.RemoveAsync(0, uint.MaxValue);
            }

            await fixture.CheckAsync();
            Assert.All(fixture.Files, file => Assert.Equal(0, file.Owner.Sectors));
        });
    }

    [Fact]
    public void Ranges_cannot_be_moved_and_nothing_is_unwritten()
    {
        var volume = new TestVolume();
        volume.Scheduler.Run(async () =>
        {
            TestFile file = new MapperFixture(volume).AddFile(hasExtents: false);
            Assert.False(file.Mapper.CanBeUnwritten);
            Assert.Equal(12UL + 256 + (256 * 256) + (256 * 256 * 256), file.Mapper.MaxBlocks);
            FileSystemException refused = await Assert.ThrowsAsync<FileSystemException>(() => file.CollapseAsync(0, 1));
            Assert.Equal(IoFault.NotSupported, refused.Fault);
            refused = await Assert.ThrowsAsync<FileSystemException>(() => file.InsertAsync(0, 1));
            Assert.Equal(IoFault.NotSupported, refused.Fault);
            await Assert.ThrowsAsync<ArgumentException>(() => file.AllocateAsync(0, 1, MapState.Unwritten));
            refused = await Assert.ThrowsAsync<FileSystemException>(() => file.AllocateAsync(file.Mapper.MaxBlocks, 1, MapState.Mapped));
            Assert.Equal(IoFault.FileTooLarge, refused.Fault);
        });
    }

    private static async Task StepAsync(TestFile file, Random random)
    {
        ulong first = s_places[random.Next(s_places.Length)] + (ulong)random.Next(30);
        ulong count = (ulong)(random.Next(4) == 0 ? random.Next(1, 300) : random.Next(1, 8));
        switch (random.Next(6))
        {
            case < 2:
                await file.AllocateAsync(first, count, MapState.Mapped);
                break;
            case 2:
                await file.AllocateAsync(first, count, MapState.Mapped, isReserved: true);
                break;
            case 3 when file.Mapper is IndirectMapper:
                await file.Mapper.ZeroAsync(new FileBlock(first), count);
                file.Model.Remove(first, count);
                break;
            case 4:
                await file.RemoveAsync(first, count);
                break;
            default:
                await file.CheckMapAsync(first, count);
                break;
        }
    }
}
