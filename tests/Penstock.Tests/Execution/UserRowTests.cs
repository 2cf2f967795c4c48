using Penstock.Execution;
using Penstock.Tests.Uring;
using Xunit;

namespace Penstock.Tests.Execution;

/// <summary>Users' continuations run by the thread that reaps: whatever they do, they hold up nobody but themselves, and each runs once.</summary>
public sealed class UserRowTests : IDisposable
{
    private const int Block = 4096;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly TemporaryFile _image = new(16 << 20);

    public void Dispose() => _image.Dispose();

    [Fact]
    public void What_is_handed_over_while_it_runs_runs_once()
    {
        const int Rounds = 20_000;
        const int Pieces = 5;
        var duty = new SharedDuty(static () => { });
        var row = new UserRow(duty, new RowWatch());
        int added = 0;
        int run = 0;
        bool isOver = false;
        var other = new Thread(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                row.Spill();
            }
        });
        other.Start();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < Pieces; i++)
            {
                added += row.TryAdd(_ => Interlocked.Increment(ref run), null) ? 1 : 0;
            }

            row.Run();
        }

        Volatile.Write(ref isOver, true);
        other.Join();
        Assert.Equal(Rounds * Pieces, added);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref run) >= added, s_patience), $"{run} of {added} ran.");
        Assert.Equal(added, Volatile.Read(ref run));
    }

    [Fact]
    public Task Continuations_that_block_for_results_finish() => WithFileAsync(async file =>
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            using var buffer = new AlignedBuffer(Block);
            for (int n = 0; n < 50; n++)
            {
                await file.ReadAsync(buffer.Memory, i * Block).ConfigureAwait(false);
                Assert.Equal(Block, file.Read(buffer.Memory, (i + 1) * Block));
            }
        }));
    });

    [Fact]
    public Task A_continuation_that_waits_for_another_one_finishes() => WithFileAsync(async file =>
    {
        for (int n = 0; n < 20; n++)
        {
            using var other = new ManualResetEventSlim();
            using AlignedBuffer first = new(Block);
            using AlignedBuffer second = new(Block);

            // On a thread of its own, since a read may be over before anybody waits for it.
            Task waiting = Task.Run(() => WaitAsync(file, first, other));
            await file.ReadAsync(second.Memory, Block).ConfigureAwait(false);
            other.Set();
            await waiting;
        }
    });

    [Fact]
    public Task Continuations_that_compute_for_long_do_not_hold_up_the_others() => WithFileAsync(async file =>
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            using var buffer = new AlignedBuffer(Block);
            for (int n = 0; n < 4; n++)
            {
                await file.ReadAsync(buffer.Memory, i * Block).ConfigureAwait(false);
                Thread.SpinWait(200_000);
            }
        }));
    });

    private static async Task WaitAsync(OpenFile file, AlignedBuffer buffer, ManualResetEventSlim other)
    {
        await file.ReadAsync(buffer.Memory, 0).ConfigureAwait(false);
        Assert.True(other.Wait(s_patience), "Nobody else's continuation ran.");
    }

    /// <summary>The volume is closed by a continuation too.</summary>
    private async Task WithFileAsync(Func<OpenFile, Task> use)
    {
        await Volume.MakeAsync(_image.Path);
        async Task RunAsync()
        {
            await using Volume volume = await Volume.OpenAsync(_image.Path).ConfigureAwait(false);
            await using OpenFile file = await volume
                .OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite, IoOptions.Direct).ConfigureAwait(false);
            using var buffer = new AlignedBuffer(16 * Block);
            await file.WriteAsync(buffer.Memory, 0).ConfigureAwait(false);
            await use(file).ConfigureAwait(false);
        }

        await RunAsync().WaitAsync(s_patience);
    }
}
