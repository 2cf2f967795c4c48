namespace Penstock.Bench.Comparing;

/// <summary>The command line as a native program, built ahead of time, once.</summary>
internal static class NativeBuild
{
    /// <exception cref="InvalidOperationException">It cannot be built here: a C compiler and zlib's headers are needed.</exception>
    public static async Task<string> PathAsync(Place place)
    {
        await Tool.RunAsync("env", "PENSTOCK_NATIVE=1", place.Penstock, "--version");
        return Path.Combine(Path.GetDirectoryName(place.Penstock)!, ".build", "native", "Penstock.Cli");
    }
}
