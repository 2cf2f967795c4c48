using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Penstock.Testing.Models;

namespace Penstock.Tests.Journal;

/// <summary>A journal with a log over a simulated device: the volume's blocks first, then the journal, all in a row.</summary>
internal sealed class LogFixture
{
    public const int BlockSize = 1024;

    private readonly uint _logBlocks;
    private readonly ulong _volumeBlocks;

    public LogFixture(
        IJournalClient client, int volumeBlocks, int seed, Rule broken = Rule.None, uint logBlocks = 64, int maxUnstable = 0, bool hasChecksums = false,
        long budget = VolumeMetadataCache.DefaultBudget)
    {
        _logBlocks = logBlocks;
        _volumeBlocks = (ulong)volumeBlocks;
        Scheduler = new ManualScheduler(seed) { BrokenRule = broken };
        Device = new SimulatedDevice(Scheduler, (volumeBlocks + logBlocks) * (long)BlockSize);
        var first = new byte[BlockSize];
        JournalSuperblock.Create(BlockSize, logBlocks, new Guid("11223344-5566-7788-99aa-bbccddeeff00")).WriteTo(first);
        Device.Poke(volumeBlocks * (long)BlockSize, first);
        Cache = new VolumeMetadataCache(Device, BlockSize, budget);
        Journal = new LogJournal(Cache, client, maxUnstable);
        HasChecksums = hasChecksums;
    }

    public ManualScheduler Scheduler { get; }

    public SimulatedDevice Device { get; }

    public VolumeMetadataCache Cache { get; }

    public LogJournal Journal { get; }

    public bool HasChecksums { get; }

    /// <summary>Reads the journal's superblock; before the first handle.</summary>
    public async Task AttachAsync()
    {
        // In two runs, so that the log's blocks do not lie in a row.
        uint half = _logBlocks / 2;
        BlockRun[] runs =
        [
            new(default, new VolumeBlock(_volumeBlocks), half, MapState.Mapped),
            new(new FileBlock(half), new VolumeBlock(_volumeBlocks + half), _logBlocks - half, MapState.Mapped),
        ];
        Journal.Attach(await LogArea.OpenAsync(Device, BlockSize, runs, "the journal"), HasChecksums, is64Bit: HasChecksums, chunkBytes: 2 * BlockSize);
    }

    /// <summary>The device after a loss of power now, its log replayed.</summary>
    public SimulatedDevice Recover(Func<long, bool> survives)
    {
        SimulatedDevice survivor = Device.AfterPowerLoss(Scheduler, survives);
        NaiveReplay.Run(survivor, BlockSize, _volumeBlocks, _logBlocks);
        return survivor;
    }

    /// <summary>What the journal's superblock on the device says.</summary>
    public JournalSuperblock ReadSuperblock() =>
        JournalSuperblock.Parse(Device.Peek((long)_volumeBlocks * BlockSize, BlockSize), BlockSize, _logBlocks, "journal");
}
