using Penstock.Cli;
using Penstock.Cli.Output;

namespace Penstock.Tests.Cli;

/// <summary>One run of the program within this process: what it printed, and its exit code.</summary>
internal sealed record CommandRun(int ExitCode, string Output, string Error)
{
    public static Task<CommandRun> OfAsync(params string[] arguments) => OfAsync(new MemoryStream(), arguments);

    /// <summary>With a standard output of the test's own.</summary>
    public static async Task<CommandRun> OfAsync(MemoryStream bytes, string[] arguments)
    {
        using var error = new StringWriter();
        var terminal = new Terminal
        {
            Out = new StreamWriter(bytes, leaveOpen: true),
            Error = error,
            Bytes = bytes,
            Input = Stream.Null,
        };
        int exitCode = await CommandLine.RunAsync(arguments, terminal);
        return new CommandRun(exitCode, System.Text.Encoding.UTF8.GetString(bytes.ToArray()), error.ToString());
    }
}
