namespace Penstock.Outside.Volumes;

/// <summary>The program under test, as its users start it.</summary>
internal static class PenstockProgram
{
    private static readonly Lazy<string> s_path = new(Find);

    /// <summary>The program's path: of this repository, or what <c>PENSTOCK_PROGRAM</c> says.</summary>
    public static string Path => s_path.Value;

    public static string Run(params string[] arguments) => Script.Run("/", Quote([Path, .. arguments]), 180);

    public static (int ExitCode, string Output) TryRun(params string[] arguments) => Script.TryRun("/", Quote([Path, .. arguments]), 180);

    private static string Quote(string[] words) => string.Join(' ', words.Select(w => $"'{w.Replace("'", "'\\''", StringComparison.Ordinal)}'"));

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("PENSTOCK_PROGRAM") is { Length: > 0 } given)
        {
            return given;
        }

        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder, "Penstock.slnx")))
        {
            folder = System.IO.Path.GetDirectoryName(folder);
        }

        return System.IO.Path.Combine(folder ?? throw new FileNotFoundException("Not inside the repository, and PENSTOCK_PROGRAM is not set."), "penstock");
    }
}
