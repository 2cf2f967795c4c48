using System.CommandLine;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary>
/// <c>crash-test</c>: here so that the help lists it. As the simulator, it needs a core that carries its checks: the start script runs it as a program of its own.
/// </summary>
internal sealed class CrashTestCommand : Command
{
    public CrashTestCommand(Terminal terminal)
        : base("crash-test", "Let the power go at every moment of a workload, recover, and judge what is left (in a checkout, by ./penstock).")
    {
        SetAction(_ =>
        {
            terminal.Error.WriteLine("penstock: crash-test: this program carries no checks; run ./penstock crash-test in a checkout of the sources");
            return ExitCode.Usage;
        });
    }
}
