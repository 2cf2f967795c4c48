namespace Penstock.Outside.Cli;

/// <summary>The program itself, started as its users start it.</summary>
internal static class PenstockProgram
{
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "Penstock.Cli");

    public static string Run(params string[] arguments) => OutsideProgram.Run(Path, arguments);

    public static (int ExitCode, string Output) TryRun(params string[] arguments) => OutsideProgram.TryRun(Path, arguments);

    /// <summary>Runs it; it must fail with exit code 1, in one line.</summary>
    public static string Fail(params string[] arguments)
    {
        (int code, string output) = TryRun(arguments);
        Xunit.Assert.Equal(1, code);
        Xunit.Assert.Equal(output.Length - 1, output.IndexOf('\n'));
        return output;
    }
}
