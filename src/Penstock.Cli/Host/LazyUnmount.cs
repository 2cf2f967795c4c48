using System.Diagnostics;

namespace Penstock.Cli.Host;

/// <summary>Takes a mount out of the tree of directories while programs have files open on it.</summary>
internal static class LazyUnmount
{
    public static bool Detach(string directory) =>
        LinuxCalls.Unmount(directory, LinuxCalls.DetachLazily) == 0 || RunFusermount("-uz", directory);

    /// <summary>Takes off a mount whose process is gone.</summary>
    public static bool TakeOff(string directory) => LinuxCalls.Unmount(directory, 0) == 0 || RunFusermount("-u", directory);

    private static bool RunFusermount(string options, string directory)
    {
        try
        {
            var start = new ProcessStartInfo("fusermount3") { RedirectStandardError = true };
            start.ArgumentList.Add(options);
            start.ArgumentList.Add("--");
            start.ArgumentList.Add(directory);
            using Process? process = Process.Start(start);
            process?.WaitForExit();
            return process?.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
