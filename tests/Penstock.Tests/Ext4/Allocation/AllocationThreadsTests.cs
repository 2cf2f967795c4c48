using Penstock.Execution;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Allocation;

/// <summary>Files at work on real threads: the latches of groups, accounts and caches hold without a scheduler that serialises.</summary>
public sealed class AllocationThreadsTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Files_on_several_threads_get_blocks_of_their_own(bool isLazy)
    {
        var shape = new EmptyVolume { Blocks = 6 * 512, BlocksPerGroup = 512, IsLazy = isLazy };
        var device = new SimulatedDevice(ThreadedScheduler.CreateForTest(), (long)(shape.Blocks + shape.FirstDataBlock) * shape.BlockSize);
        await using var volume = new TestVolume(device, shape.WriteTo(device));
        var fixture = new MapperFixture(volume);
        for (int i = 0; i < 6; i++)
        {
            await fixture.AddFile(hasExtents: i % 2 == 0).AllocateAsync(0, 1, MapState.Mapped);
        }

        await Task.WhenAll(fixture.Files.Select((file, i) => Task.Run(() => WorkAsync(volume, file, new Random(i)))));
        await fixture.CheckAsync();
    }

    private static async Task WorkAsync(TestVolume volume, TestFile file, Random random)
    {
        for (int i = 0; i < 150; i++)
        {
            ulong first = (ulong)random.Next(500);
            ulong count = (ulong)random.Next(1, 40);
            switch (random.Next(5))
            {
                case < 2:
                    await file.AllocateAsync(first, count, file.Mapper.CanBeUnwritten ? MapState.Unwritten : MapState.Mapped);
                    break;
                case 2:
                    await file.AllocateAsync(first, count, MapState.Mapped, isReserved: true);
                    break;
                case 3 when i % 8 == 0:
                    await volume.CommitAsync();
                    break;
                default:
                    await file.RemoveAsync(first, count * 3);
                    break;
            }
        }
    }
}
