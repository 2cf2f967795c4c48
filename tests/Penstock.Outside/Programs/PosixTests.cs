using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>A table of some 1,700 calls, made on our mount and on the kernel's ext4: what each returns, and what can be seen afterwards, is the same.</summary>
public sealed class PosixTests
{
    /// <summary>Where a line may differ, and why: what the kernel decides for FUSE before it asks.</summary>
    private static readonly (string Start, string Ours)[] s_kernelsOwn =
    [
        // Modes of fallocate that FUSE does not have are refused before the range is looked at.
        ("ranges: fallocate 128 ", "ENOTSUP"),
    ];

    [Fact]
    public void Calls_do_what_they_do_on_the_kernels_ext4()
    {
        Needs.LoopMounts();
        Needs.Tools("python3");
        string[] ours = Run(byKernel: MountedVolume.IsKernel);
        string[] kernels = Run(byKernel: true);

        Assert.True(ours.Length > 1600 && kernels.Length == ours.Length, $"{ours.Length} lines here, {kernels.Length} there");
        string[] differences =
        [
            .. ours.Zip(kernels).Where(static pair => pair.First != pair.Second && !IsKernelsOwn(pair.First))
                .Select(static pair => $"{pair.First}\n  ext4: {pair.Second}"),
        ];
        Assert.True(differences.Length == 0, $"{differences.Length} differences:\n{string.Join('\n', differences.Take(40))}");
    }

    private static string[] Run(bool byKernel)
    {
        string[] lines = [];
        MountedVolume.Use("mkfs.ext4", volume =>
        {
            if (byKernel && !MountedVolume.IsKernel)
            {
                volume.Unmount();
                volume.MountByKernel();
            }

            lines = volume.Run($"python3 {Path.Combine(AppContext.BaseDirectory, "Programs/Posix/calls.py")} .", 90).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (byKernel && !MountedVolume.IsKernel)
            {
                volume.UnmountByKernel();
                volume.Mount();
            }
        });
        return lines;
    }

    private static bool IsKernelsOwn(string line) =>
        Array.Exists(s_kernelsOwn, own => line.StartsWith(own.Start, StringComparison.Ordinal) && line.EndsWith($"= {own.Ours}", StringComparison.Ordinal));
}
