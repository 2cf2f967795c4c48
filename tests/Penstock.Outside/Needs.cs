using Xunit;

namespace Penstock.Outside;

/// <summary>What a test needs of its machine; where that is missing, the test is skipped and says why.</summary>
internal static class Needs
{
    private static readonly string[] s_folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':'), "/usr/sbin", "/sbin"];

    public static void Mounts()
    {
        Assert.SkipUnless(Environment.UserName == "root", "mounting directly needs root");
        Assert.SkipUnless(File.Exists("/dev/fuse"), "no /dev/fuse here");
        Tools("mkfs.ext4", "e2fsck");
    }

    public static void LoopMounts()
    {
        Mounts();
        Assert.SkipUnless(File.Exists("/dev/loop-control"), "no loop devices here");
    }

    public static void Tools(params string[] tools)
    {
        foreach (string tool in tools)
        {
            Assert.SkipUnless(Array.Exists(s_folders, f => File.Exists(Path.Combine(f, tool))), $"no {tool} here");
        }
    }
}
