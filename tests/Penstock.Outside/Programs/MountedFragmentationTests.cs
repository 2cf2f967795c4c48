using System.Globalization;
using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>
/// One program with a mixed load (files that grow side by side, some durable at every step; many that come and go; overwrites) on our mount and on the kernel's: files and
/// free space are in no more pieces with us.
/// </summary>
public sealed class MountedFragmentationTests(ITestOutputHelper output)
{
    private const int Steps = 3000;

    /// <summary>The two write back when they like, so no two runs are alike.</summary>
    private const double Margin = 1.15;

    /// <summary>Free space is in a few dozen pieces; in some hundred where complete files get room to grow.</summary>
    private const int FewPieces = 20;

    [Fact]
    public void A_program_leaves_no_more_pieces_than_on_the_kernels()
    {
        const int Seed = 1;
        Needs.LoopMounts();
        Needs.Tools("python3", "filefrag", "e2freefrag");
        Assert.SkipWhen(MountedVolume.IsKernel, "about our own mount");
        Pieces kernels = Run(Seed, byKernel: true);
        Pieces ours = Run(Seed, byKernel: false);
        output.WriteLine($"seed {Seed}: kernel {kernels}; ours {ours}");
        Assert.True(ours.Small <= kernels.Small * Margin, $"small files: {ours.Small} pieces, the kernel's {kernels.Small}");
        Assert.True(ours.Growing <= kernels.Growing * Margin, $"files that grow side by side: {ours.Growing} pieces, the kernel's {kernels.Growing}");
        Assert.True(ours.Free <= (kernels.Free * Margin) + FewPieces, $"free space: {ours.Free} pieces, the kernel's {kernels.Free}");
    }

    private static Pieces Run(int seed, bool byKernel)
    {
        Pieces pieces = default;
        MountedVolume.Use(
            "mkfs.ext4 -E lazy_itable_init=0",
            v =>
            {
                if (byKernel)
                {
                    v.Unmount();
                    v.MountByKernel();
                }

                v.Run(string.Create(CultureInfo.InvariantCulture, $"python3 {Path.Combine(AppContext.BaseDirectory, "Programs/Fragmentation/load.py")} . {seed} {Steps}"));
                if (byKernel)
                {
                    v.UnmountByKernel();
                }
                else
                {
                    v.Unmount();
                }

                int free = int.Parse(Script.Run("/", $"e2freefrag '{v.Image}' | sed -n 's/^Num. free extent: //p'"), CultureInfo.InvariantCulture);
                v.MountByKernel("loop,ro");
                pieces = new Pieces(Count(v, "file*"), Count(v, "log*") + Count(v, "data*") + Count(v, "table*"), free);
                v.UnmountByKernel();
                v.Mount();
            },
            "1G");
        return pieces;
    }

    private static int Count(MountedVolume v, string names) =>
        int.Parse(v.Run($"find . -name '{names}' -print0 | xargs -0 filefrag | awk '{{ n += $(NF-2) }} END {{ print n }}'"), CultureInfo.InvariantCulture);

    private readonly record struct Pieces(int Small, int Growing, int Free);
}
