using Penstock.Devices;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Journal;

/// <summary>A cache and a journal without a log over a simulated device.</summary>
internal sealed class JournalFixture
{
    public JournalFixture(
        int blockSize = 4096, long budget = VolumeMetadataCache.DefaultBudget, int blocks = 4096, int maxUnstable = 0, int? seed = null)
    {
        Scheduler = new ManualScheduler(seed);
        Device = new SimulatedDevice(Scheduler, (long)blockSize * blocks);
        Client = new RecordingClient(this);
        Cache = new VolumeMetadataCache(Device, blockSize, budget);
        Journal = new NoLogJournal(Cache, Client, maxUnstable);
    }

    public ManualScheduler Scheduler { get; }

    public SimulatedDevice Device { get; }

    public RecordingClient Client { get; }

    public VolumeMetadataCache Cache { get; }

    public NoLogJournal Journal { get; }

    public IEnumerable<SimulatedOperation> Writes => Device.Operations.Where(o => o.IsWrite);

    public static VolumeBlock Block(ulong number) => new(number);

    /// <summary>Runs a test and closes the journal afterwards, unless the device refuses.</summary>
    public void Run(Func<Task> body, bool closes = true) => Scheduler.Run(async () =>
    {
        await body();
        if (closes)
        {
            await Journal.DisposeAsync();
            Assert.Equal(0, Scheduler.AlarmCount);
            Assert.Equal(0, Cache.UnstableBlocks);
        }
    });

    /// <summary>Fills a block with a byte in the handle.</summary>
    public async Task FillAsync(Handle handle, ulong number, byte value)
    {
        MetadataBlock block = await Cache.GetAsync(Block(number));
        using (BlockEdit edit = handle.Edit(block))
        {
            edit.Bytes.Fill(value);
        }

        block.Unpin();
    }

    /// <summary>One change of blocks in a handle of its own.</summary>
    public async Task<TransactionId> ChangeAsync(byte value, params ulong[] numbers)
    {
        Handle handle = await Journal.BeginAsync(numbers.Length);
        TransactionId transaction = handle.Transaction;
        foreach (ulong number in numbers)
        {
            await FillAsync(handle, number, value);
        }

        handle.Stop();
        return transaction;
    }

    public byte OnDevice(ulong number) => Device.Peek((long)number * Cache.BlockSize, 1)[0];

    public void PutOnDevice(ulong number, byte value)
    {
        var bytes = new byte[Cache.BlockSize];
        bytes.AsSpan().Fill(value);
        Device.Poke((long)number * Cache.BlockSize, bytes);
    }

    internal sealed class RecordingClient(JournalFixture fixture) : IJournalClient
    {
        public int FirstChanges { get; private set; }

        public List<(ulong First, ulong Count)> Freed { get; } = [];

        public Func<Handle, Task>? LastChanges { get; set; }

        public Func<Task>? FirstChange { get; set; }

        public int CreditsBeforeCommit => 4;

        public async ValueTask BeforeFirstChangeAsync()
        {
            FirstChanges++;
            Assert.Equal(0, fixture.Device.Count(DeviceOperation.Write));
            if (FirstChange is { } change)
            {
                await change();
            }
        }

        public void FreedBlocksCommitted(VolumeBlock first, ulong count) => Freed.Add((first.Value, count));

        public async ValueTask BeforeCommitAsync(Handle handle)
        {
            if (LastChanges is { } changes)
            {
                await changes(handle);
            }
        }
    }
}
