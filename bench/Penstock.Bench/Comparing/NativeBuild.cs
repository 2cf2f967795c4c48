namespace Penstock.Bench.Comparing;

/// <summary>The command line as a native program, built ahead of time, once.</summary>
internal static class NativeBuild
{
    /// <exception cref="InvalidOperationException">It cannot be built here: a C compiler and zlib's headers are needed.</exception>
    public static async Task<string> PathAsync(Place place)
    {
        string root = Path.GetDirectoryName(place.Penstock)!;
        string output = Path.Combine(root, ".build", "native");
        string program = Path.Combine(output, "Penstock.Cli");
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < File.GetLastWriteTimeUtc(Path.Combine(root, ".build", "cli", ".built")))
        {
            await Tool.RunAsync("dotnet", "publish", Path.Combine(root, "src", "Penstock.Cli"), "-c", "Release", "-p:PublishAot=true", "-o", output, "-v", "quiet", "--nologo");
        }

        return program;
    }
}
