using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;
using Xunit;

namespace Penstock.Tests.Execution;

/// <summary>Work that a user's thread does itself before its call returns.</summary>
public sealed class CallerRowTests
{
    [Fact]
    public void It_takes_work_only_within_a_call_and_has_done_all_of_it_at_the_end()
    {
        var row = new CallerRow();
        Assert.False(row.TryAdd(static _ => { }, null));
        var done = new List<int>();
        row.Open();
        for (int i = 0; i < 40; i++)
        {
            int piece = i;
            Assert.True(row.TryAdd(_ => done.Add(piece), null));
        }

        row.Open();
        Assert.True(row.TryAdd(_ => Assert.True(row.TryAdd(_ => done.Add(41), null)), null));
        Assert.True(row.TryAdd(_ => done.Add(40), null));
        row.Close();
        row.Close();
        Assert.Equal(Enumerable.Range(0, 42), done);
        Assert.False(row.TryAdd(static _ => { }, null));
    }

    [Fact]
    public void It_takes_what_blocks_only_from_the_innermost_call_and_one_at_a_time()
    {
        var row = new CallerRow();
        int done = 0;
        Assert.False(Add());
        row.Open();
        Assert.False(Add());
        row.Open(blocks: true);
        Assert.True(Add());
        Assert.False(Add());
        row.Run();
        row.Open();
        Assert.False(Add());
        row.Close();
        Assert.True(Add());
        row.Close();
        Assert.False(Add());
        row.Close();
        Assert.Equal(2, done);

        bool Add() => row.TryAddBlocking(_ => done++, null);
    }

    [Fact]
    public async Task A_direct_request_of_memory_is_over_when_the_call_returns()
    {
        const int Rounds = 100;
        await using OpenFile file = await OpenFile.OpenDeviceAsync("mem:16M", FileAccess.ReadWrite, IoOptions.Direct);
        using var buffer = new AlignedBuffer(65536);
        int over = 0;

        // A request may meet another thread of the process and be handed on, so most of them are asked for, not all.
        for (int i = 0; i < Rounds; i++)
        {
            byte filling = (byte)(i + 1);
            buffer.Memory.Span.Fill(filling);
            ValueTask<int> write = file.WriteAsync(buffer.Memory, 4096);
            over += write.IsCompletedSuccessfully ? 1 : 0;
            Assert.Equal(65536, await write);
            buffer.Memory.Span.Clear();
            ValueTask<int> read = file.ReadAsync(buffer.Memory, 4096);
            over += read.IsCompletedSuccessfully ? 1 : 0;
            Assert.Equal(65536, await read);
            Assert.Equal(-1, buffer.Memory.Span.IndexOfAnyExcept(filling));
        }

        Assert.InRange(over, Rounds, 2 * Rounds);
    }

    [Fact]
    public async Task A_core_place_hands_its_work_on()
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        // In this order: the device goes first, and with it the read that nobody waits for.
        using var buffer = new AlignedBuffer(4096);
        await using var device = new MemoryDevice("memory", scheduler, 1 << 20);
        var seen = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        scheduler.Post(
            _ => seen.SetResult(scheduler.TryOpenCallerRow() || device.ReadAsync(0, buffer.Segment).IsCompleted),
            null);
        Assert.False(await seen.Task);
    }
}
