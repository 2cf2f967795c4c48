using System.CommandLine;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary>
/// <c>simulate</c>: here so that the help lists it. The simulator needs a core that carries its checks, which a shipped one does not: the start
/// script runs it as a program of its own.
/// </summary>
internal sealed class SimulateCommand : Command
{
    public SimulateCommand(Terminal terminal)
        : base("simulate", "Look for races in the core, under a scheduler that owns every choice (in a checkout, by ./penstock).")
    {
        SetAction(_ =>
        {
            terminal.Error.WriteLine("penstock: simulate: this program carries no checks; run ./penstock simulate in a checkout of the sources");
            return ExitCode.Usage;
        });
    }
}
