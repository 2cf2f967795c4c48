using System.Collections.Concurrent;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Tests.Uring;
using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Devices;

/// <summary>A guest of a device's ring: its requests and their completions stay on one thread, and it ends when it says so.</summary>
public sealed class RingGuestTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly TemporaryFile _file = new(1 << 20);
    private readonly AlignedBuffer _memory = new(64 << 10);

    [Fact]
    public async Task What_a_guest_takes_in_is_read_and_answered_on_its_own_thread()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        _memory.Segment.Bytes.Fill(0x5A);
        Assert.Equal(IoResult.Transferred(_memory.Length), await device.WriteAsync(0, _memory.Segment));
        using var guest = new Guest(device, _memory.Segment);
        Assert.SkipUnless(device.TryHost(guest, "test-guest"), device.Description);

        for (int round = 0; round < 20; round++)
        {
            guest.Ask(2);
        }

        await guest.WaitForAnswersAsync(40);
        guest.End();
        await guest.HasLeft.WaitAsync(s_patience);

        Assert.All(guest.Results, result => Assert.Equal(IoResult.Transferred(4096), result));
        Assert.Single(guest.Threads.Distinct());
        Assert.Equal(-1, guest.Read.Bytes[..4096].IndexOfAnyExcept((byte)0x5A));
    }

    [Fact]
    public async Task A_flush_of_a_guest_is_the_devices_like_any_other()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        using var guest = new Guest(device, _memory.Segment) { Flushes = true };
        Assert.SkipUnless(device.TryHost(guest, "test-guest"), device.Description);

        guest.Ask(5);
        await guest.WaitForAnswersAsync(5);
        guest.End();
        await guest.HasLeft.WaitAsync(s_patience);

        Assert.All(guest.Results, result => Assert.Equal(IoResult.Transferred(0), result));
    }

    [Fact]
    public async Task A_guest_without_room_is_left_alone_until_it_wakes_its_host()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        using var guest = new Guest(device, _memory.Segment) { MayTakeIn = false };
        Assert.SkipUnless(device.TryHost(guest, "test-guest"), device.Description);

        guest.Ask(3);
        Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(0, _memory.Segment.Slice(0, 4096)));
        Assert.Empty(guest.Results);
        guest.MayTakeIn = true;
        guest.Wake();
        await guest.WaitForAnswersAsync(3);
        guest.End();
        await guest.HasLeft.WaitAsync(s_patience);
    }

    [Fact]
    public async Task A_device_without_a_thread_of_its_own_hosts_nobody()
    {
        await using var device = new MemoryDevice("memory", Scheduler.Default, 1 << 20);
        using var guest = new Guest(device, _memory.Segment);

        Assert.False(device.TryHost(guest, "test-guest"));
    }

    public void Dispose()
    {
        ((IDisposable)_memory).Dispose();
        _file.Dispose();
    }

    /// <summary>Each count on its descriptor asks for one read, or flush, of the device.</summary>
    private sealed class Guest(BlockDevice device, IoSegment memory) : IRingGuest, IDisposable
    {
        private readonly EventFd _asked = EventFd.Create(isBlocking: false, out _)!;
        private readonly TaskCompletionSource _hasLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim _answers = new(0);
        private volatile bool _mayTakeIn = true;
        private volatile bool _isEnding;
        private int _open;
        private int _pending;

        public ConcurrentQueue<IoResult> Results { get; } = new();

        public ConcurrentQueue<int> Threads { get; } = new();

        public bool Flushes { get; init; }

        public Action Wake { get; private set; } = static () => { };

        public IoSegment Read => memory.Slice(0, 4096);

        public Task HasLeft => _hasLeft.Task;

        public int Descriptor => _asked.Descriptor;

        public IoSegment Memory => memory;

        public bool MayTakeIn
        {
            get => _mayTakeIn;
            set => _mayTakeIn = value;
        }

        public void Seated(IRingHost host) => Wake = host.Wake;

        public void Completed(uint command, CallResult result) => throw new InvalidOperationException();

        public void Ask(int count)
        {
            Interlocked.Add(ref _pending, count);
            _asked.Signal();
        }

        public void End()
        {
            _isEnding = true;
            _asked.Signal();
        }

        public async Task WaitForAnswersAsync(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Assert.True(await _answers.WaitAsync(s_patience));
            }
        }

        public GuestState TakeIn()
        {
            _asked.Take(out _);
            for (int left = Interlocked.Exchange(ref _pending, 0); left > 0; left--)
            {
                _ = ServeAsync();
            }

            return _isEnding && Volatile.Read(ref _pending) == 0 ? GuestState.Ended : GuestState.Idle;
        }

        public void Left()
        {
            if (Volatile.Read(ref _open) == 0)
            {
                _hasLeft.SetResult();
            }
            else
            {
                _hasLeft.SetException(new InvalidOperationException("requests are still open"));
            }
        }

        public void Dispose()
        {
            _asked.Dispose();
            _answers.Dispose();
        }

        private async Task ServeAsync()
        {
            Interlocked.Increment(ref _open);
            Threads.Enqueue(Environment.CurrentManagedThreadId);
            IoResult result = Flushes ? await device.FlushAsync().ConfigureAwait(false) : await device.ReadAsync(0, Read).ConfigureAwait(false);
            Threads.Enqueue(Environment.CurrentManagedThreadId);
            Results.Enqueue(result);
            Interlocked.Decrement(ref _open);
            _answers.Release();
        }
    }
}
