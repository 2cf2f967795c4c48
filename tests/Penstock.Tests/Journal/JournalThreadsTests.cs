using System.Buffers.Binary;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Journal;

/// <summary>The same code on real threads: edits are never torn and never lost.</summary>
public sealed class JournalThreadsTests
{
    private const int Threads = 4;
    private const int Changes = 1500;
    private const int Blocks = 6;

    [Fact]
    public async Task Edits_of_many_threads_reach_the_device_whole()
    {
        var scheduler = ThreadedScheduler.CreateForTest();
        var device = new SimulatedDevice(scheduler, 64 * 4096);
        int torn = 0;
        device.FaultRule = operation =>
        {
            torn += operation.IsWrite && IsTorn(operation) ? 1 : 0;
            return null;
        };
        var journal = new NoLogJournal(new VolumeMetadataCache(device, 4096, 4 * 4096), new IdleClient(), maxUnstableBlocks: 5);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(i => Task.Run(() => ChangeAsync(journal, i))));
        await journal.DisposeAsync();
        Assert.Equal(0, torn);
        long sum = Enumerable.Range(0, Blocks).Sum(i => BinaryPrimitives.ReadInt64LittleEndian(device.Peek(i * 4096, 8)));
        Assert.Equal(Threads * Changes, sum);
    }

    private static bool IsTorn(SimulatedOperation operation)
    {
        bool isTorn = false;
        foreach (IoSegment segment in operation.Request!.Segments)
        {
            for (int i = 0; i < segment.Length; i += 4096)
            {
                Span<byte> block = segment.Bytes.Slice(i, 4096);
                isTorn |= !block[..8].SequenceEqual(block[^8..]);
            }
        }

        return isTorn;
    }

    private static async Task ChangeAsync(NoLogJournal journal, int thread)
    {
        for (int i = 0; i < Changes; i++)
        {
            Handle handle = await journal.BeginAsync(1);
            MetadataBlock block = await journal.Cache.GetAsync(new VolumeBlock((ulong)((i + thread) % Blocks)));
            using (BlockEdit edit = handle.Edit(block))
            {
                long value = BinaryPrimitives.ReadInt64LittleEndian(edit.Bytes) + 1;
                BinaryPrimitives.WriteInt64LittleEndian(edit.Bytes, value);
                BinaryPrimitives.WriteInt64LittleEndian(edit.Bytes[^8..], value);
            }

            block.Unpin();
            TransactionId transaction = handle.Transaction;
            handle.Stop();
            if (i % 50 == 0)
            {
                await journal.CommitAsync(transaction);
            }
        }
    }

    private sealed class IdleClient : IJournalClient
    {
        public int CreditsBeforeCommit => 0;

        public ValueTask BeforeFirstChangeAsync() => ValueTask.CompletedTask;

        public ValueTask BeforeCommitAsync(Handle handle) => ValueTask.CompletedTask;

        public void FreedBlocksCommitted(VolumeBlock first, ulong count)
        {
        }
    }
}
