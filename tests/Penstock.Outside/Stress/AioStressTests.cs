using Penstock.Outside.Volumes;
using Penstock.Stress.AioStress;
using Penstock.Stress.Targets;
using Xunit;

namespace Penstock.Outside.Stress;

/// <summary>Many requests in flight over the mount and in process; every block verified, and e2fsck content.</summary>
public sealed class AioStressTests
{
    private static readonly AioOptions s_options = new() { Size = 2 << 20, RequestSize = 16 << 10, Files = 2, Threads = 2 };

    [Theory]
    [InlineData("mkfs.ext4", true, false, false)]
    [InlineData("mkfs.ext4 -b 1024", true, true, true)]
    [InlineData("mkfs.ext4 -t ext2 -O ^extents,^64bit", false, false, false)]
    public void A_mount_passes(string making, bool isDirect, bool isSync, bool sharesContext) => MountedVolume.Use(making, v =>
    {
        using var folder = new HostFolder(v.Root);
        Run(folder, s_options with { IsDirect = isDirect, IsSync = isSync, SharesContext = sharesContext });
    });

    [Theory]
    [InlineData("-t ext4", true, false)]
    [InlineData("-t ext2 -b 1024", true, false)]
    [InlineData("-t ext4 -O bigalloc", false, true)]
    public async Task A_volume_in_process_passes(string making, bool isDirect, bool sharesContext)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 128 << 20);
        OutsideProgram.Run("mkfs.ext4", [.. making.Split(' '), "-q", "-F", image]);
        using (VolumeFolder folder = await VolumeFolder.OpenAsync(image, "/", cacheBytes: null))
        {
            Run(folder, s_options with { IsDirect = isDirect, SharesContext = sharesContext });
        }

        MountedVolume.Judge(image);
    }

    private static void Run(StressFolder folder, AioOptions options)
    {
        IReadOnlyList<StageResult> results = new AioRun(folder, options, new AioProgress(CancellationToken.None)).Run(_ => { });
        Assert.Equal([0L, 256, 0, 256], results.Select(r => r.Verified));
    }
}
