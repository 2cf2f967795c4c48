using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Making;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Ext4;

/// <summary>A volume that is closed with what its device does not take.</summary>
public sealed class GivenUpVolumeTests
{
    [Fact]
    public async Task What_could_not_be_stored_is_said_at_closing_and_leaves_the_cache()
    {
        Scheduler scheduler = ThreadedScheduler.CreateForTest();
        var device = new FaultyDevice(new MemoryDevice("failing", scheduler, 8 << 20));
        _ = await Ext4Maker.MakeAsync(device, new MakingOptions());
        var cache = new PageCache(scheduler, 4 << 20);
        Volume volume = await Volume.OpenAsync(device, new VolumeOptions { PageCache = cache, Scheduler = scheduler });
        await using (OpenFile file = await volume.OpenFileAsync("/file", FileMode.Create, FileAccess.ReadWrite))
        {
            await file.WriteAsync(new byte[100_000], 0);
            device.Rule = static request => request.IsWrite ? new Misfortune(IoFault.DeviceFailed) : null;
            await Assert.ThrowsAsync<DeviceException>(() => file.FlushAsync().AsTask());
        }

        FileSystemException lost = await Assert.ThrowsAnyAsync<FileSystemException>(() => volume.DisposeAsync().AsTask());
        Assert.Equal(IoFault.DeviceFailed, lost.Fault);
        Assert.True(cache.DirtyFiles.IsEmpty);
    }
}
