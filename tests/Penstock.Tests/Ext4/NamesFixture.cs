using Penstock.Caching;
using Penstock.Ext4;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;

namespace Penstock.Tests.Ext4;

/// <summary>A volume made by our own mkfs on a simulated device, opened as a file system under a scheduler that the test drives.</summary>
internal sealed class NamesFixture
{
    public static readonly NewNode File = new() { Mode = 0x81A4, UserId = 1000, GroupId = 1000 };
    public static readonly NewNode Directory = new() { Mode = 0x41ED, UserId = 1000, GroupId = 1000 };

    public NamesFixture(int seed = 1, long length = 16 << 20)
    {
        Scheduler = new ManualScheduler(seed) { Recorder = new LockRecorder() };
        Device = new SimulatedDevice(Scheduler, length);
    }

    public ManualScheduler Scheduler { get; }

    public SimulatedDevice Device { get; }

    public async Task MakeAsync(MakingOptions options) => await Ext4Maker.MakeAsync(Device, options);

    public ValueTask<Ext4FileSystem> OpenAsync(bool isReadOnly = false, bool usesJournal = true) => Ext4FileSystem.OpenAsync(
        Device, new PageCache(Scheduler, 4 << 20), new Ext4OpenOptions { IsReadOnly = isReadOnly, UsesJournal = usesJournal });

    public void AssertLocksInOrder() => Xunit.Assert.Empty(Scheduler.Recorder!.Violations);

    public static FileName Name(string name) => FileName.From(name);
}
