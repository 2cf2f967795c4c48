using Penstock.Ext4.Extents;
using Penstock.Locking;
using Penstock.Mapping;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Tests.Ext4.Allocation;

/// <summary>Several files at work on one volume at once, in an order drawn from the seed, with commits in between.</summary>
public sealed class AllocationConcurrencyTests
{
    private const int FileCount = 5;
    private const int StepsPerFile = 60;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(100, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Files_do_not_disturb_each_other_and_locks_are_taken_in_order(int seed)
    {
        var volume = new TestVolume(new EmptyVolume { Blocks = 6 * 512, BlocksPerGroup = 512, IsLazy = seed % 2 == 0 }, seed);
        var recorder = new LockRecorder();
        volume.Scheduler.Recorder = recorder;
        volume.Device.Latency = operation => TimeSpan.FromMicroseconds(operation.Number % 7);
        volume.Scheduler.Run(async () =>
        {
            var fixture = new MapperFixture(volume);
            for (int i = 0; i < FileCount; i++)
            {
                await fixture.AddFile(hasExtents: i % 2 == 0).AllocateAsync(0, 1, MapState.Mapped);
            }

            Task[] workers = [.. fixture.Files.Select((file, i) => WorkAsync(volume, recorder, file, new Random((seed * 10) + i)))];
            await Task.WhenAll(workers);
            Assert.Empty(recorder.Violations);
            await fixture.CheckAsync();
        });
    }

    private static async Task WorkAsync(TestVolume volume, LockRecorder recorder, TestFile file, Random random)
    {
        for (int i = 0; i < StepsPerFile; i++)
        {
            using (recorder.BeginOperation($"{file.Owner.Number}, step {i}"))
            {
                await StepAsync(volume, file, random);
            }
        }
    }

    private static async Task StepAsync(TestVolume volume, TestFile file, Random random)
    {
        ulong first = (ulong)random.Next(600);
        ulong count = (ulong)random.Next(1, 60);
        switch (random.Next(7))
        {
            case < 2:
                await file.AllocateAsync(first, count, file.Mapper.CanBeUnwritten ? MapState.Unwritten : MapState.Mapped);
                break;
            case 2:
                await file.AllocateAsync(first, count, MapState.Mapped, isReserved: true);
                break;
            case 3 when file.Mapper is ExtentMapper:
                await file.ConvertAsync(first, count);
                break;
            case 4:
                await file.CheckMapAsync(first, count);
                break;
            case 5 when random.Next(4) == 0:
                await volume.CommitAsync();
                break;
            default:
                await file.RemoveAsync(first, count * 4);
                break;
        }
    }
}
