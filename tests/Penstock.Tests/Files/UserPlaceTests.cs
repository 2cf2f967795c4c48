using Penstock.Execution;
using Penstock.Ext4.Making;
using Penstock.Tests.Uring;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>
/// After each await of the public face a user is in a place of his, where he may block: never on a thread of the core, and not on the one that reaps while it has that duty.
/// Everything is asked for on a volume that has just been opened, so that the device is needed.
/// </summary>
public sealed class UserPlaceTests : IDisposable
{
    private readonly TemporaryFile _image = new(32 << 20);

    public void Dispose() => _image.Dispose();

    [Fact]
    public async Task A_user_is_in_a_place_of_his_after_every_await()
    {
        await MakeAsync();
        await WithAsync(static v => v.CreateDirectoryAsync("/d"));
        await WithAsync(static v => v.CreateSymbolicLinkAsync("/d/link", new string('l', 100)));
        await WithAsync(static v => v.CreateNodeAsync("/d/pipe", FileKind.Pipe, UnixFileMode.UserRead));
        await WithAsync(static async v => await (await v.OpenFileAsync("/d/file", FileMode.CreateNew, FileAccess.Write).ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false));
        await WithAsync(static v => v.CreateHardLinkAsync("/d/file", "/d/other"));
        await WithAsync(static v => v.SetAttributeAsync("/d/file", "user.a", new byte[500]));
        await WithAsync(static async v => Assert.Equal(500, (await v.GetAttributeAsync("/d/file", "user.a").ConfigureAwait(false))!.Length));
        await WithAsync(static async v => Assert.Single(await v.ListAttributesAsync("/d/file").ConfigureAwait(false)));
        await WithAsync(static v => v.SetDetailsAsync("/d/file", userId: 5));
        await WithAsync(static async v => Assert.Equal(5u, (await v.GetDetailsAsync("/d/file").ConfigureAwait(false)).UserId));
        await WithAsync(static async v => Assert.True(await v.ExistsAsync("/d/file").ConfigureAwait(false)));
        await WithAsync(static async v => Assert.Equal(100, (await v.ReadLinkAsync("/d/link").ConfigureAwait(false)).Length));
        await WithAsync(static v => v.MoveAsync("/d/other", "/moved"));
        await WithAsync(static v => v.ExchangeAsync("/moved", "/d/file"));
        await WithAsync(EnumerateAsync);
        await WithAsync(static v => v.DeleteFileAsync("/moved"));
        await WithAsync(static v => v.DeleteFileAsync("/d/pipe"));
        await WithAsync(static v => v.FlushAsync());
        await CheckAsync();
        await OpenDeviceAsync();
    }

    private static void JudgePlace() => Assert.True(Scheduler.Default.MayTouchUserMemory, "a user's code runs in a place of the core");

    private async Task MakeAsync()
    {
        await Volume.MakeAsync(_image.Path, new MakingOptions()).ConfigureAwait(false);
        JudgePlace();
    }

    private async Task CheckAsync()
    {
        CheckReport report = await VolumeCheck.RunAsync(_image.Path).ConfigureAwait(false);
        JudgePlace();
        Assert.Equal(CheckVerdict.Clean, report.Verdict);
    }

    private async Task OpenDeviceAsync()
    {
        OpenFile device = await OpenFile.OpenDeviceAsync(_image.Path).ConfigureAwait(false);
        JudgePlace();
        await device.DisposeAsync().ConfigureAwait(false);
        JudgePlace();
    }

    private static async ValueTask EnumerateAsync(Volume volume)
    {
        int entries = 0;
        await foreach (VolumeEntry entry in volume.EnumerateAsync("/d").ConfigureAwait(false))
        {
            JudgePlace();
            entries++;
        }

        Assert.Equal(3, entries);
    }

    private async Task WithAsync(Func<Volume, ValueTask> use)
    {
        Volume volume = await Volume.OpenAsync(_image.Path).ConfigureAwait(false);
        JudgePlace();
        await use(volume).ConfigureAwait(false);
        JudgePlace();
        await volume.DisposeAsync().ConfigureAwait(false);
        JudgePlace();
    }
}
