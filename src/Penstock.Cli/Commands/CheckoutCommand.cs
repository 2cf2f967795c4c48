using System.CommandLine;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary>
/// What only a checkout of the sources runs: here so that the help lists it. It needs a core that carries its checks, which a shipped one does not: the start
/// script runs it as a program of its own.
/// </summary>
internal sealed class CheckoutCommand : Command
{
    public CheckoutCommand(Terminal terminal, string name, string description)
        : base(name, $"{description} (in a checkout, by ./penstock).")
    {
        SetAction(_ =>
        {
            terminal.Error.WriteLine($"penstock: {name}: this program carries no checks; run ./penstock {name} in a checkout of the sources");
            return ExitCode.Usage;
        });
    }
}
