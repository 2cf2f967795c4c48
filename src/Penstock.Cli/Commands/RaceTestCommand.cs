using System.CommandLine;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary>
/// <c>race-test</c>: here so that the help lists it. As the simulator, it needs a core that carries its checks: the start script runs it as a program of its own.
/// </summary>
internal sealed class RaceTestCommand : Command
{
    public RaceTestCommand(Terminal terminal)
        : base("race-test", "Race real threads on a few files, and judge every read as the simulator does (in a checkout, by ./penstock).")
    {
        SetAction(_ =>
        {
            terminal.Error.WriteLine("penstock: race-test: this program carries no checks; run ./penstock race-test in a checkout of the sources");
            return ExitCode.Usage;
        });
    }
}
