using Penstock.Stress.Targets;

namespace Penstock.Cli.Naming;

/// <summary>Where a stress test runs: a folder of a mounted file system, or <c>VOLUME:/PATH</c> in this process.</summary>
internal static class StressPlace
{
    /// <summary>Opens it.</summary>
    /// <param name="text">As its user names it. A directory that exists counts before a volume.</param>
    /// <param name="cacheBytes">The page cache of a volume in this process; null for the usual one.</param>
    /// <exception cref="FileSystemException">It is not there, or cannot be written.</exception>
    public static async Task<StressFolder> OpenAsync(string text, long? cacheBytes) =>
        !Directory.Exists(text) && VolumePath.TryParse(text, out VolumePath path)
            ? await VolumeFolder.OpenAsync(path.Volume, path.Path, cacheBytes)
            : new HostFolder(text);
}
