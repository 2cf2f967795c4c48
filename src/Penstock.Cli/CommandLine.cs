using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Penstock.Cli.Commands;
using Penstock.Cli.Host;
using Penstock.Cli.Output;

namespace Penstock.Cli;

/// <summary>The program: its commands, and what becomes of their failures.</summary>
internal static class CommandLine
{
    /// <summary>Runs one command line to its exit code.</summary>
    public static async Task<int> RunAsync(string[] args, Terminal terminal)
    {
        using (terminal)
        {
            var journal = new Option<string?>("--journal")
            {
                Description = "The device or image with the volume's journal, if that is not on the volume.", HelpName = "DEVICE",
            };
            RootCommand root = CreateRoot(terminal, journal);
            ParseResult parsed = root.Parse(args);
            string command = parsed.CommandResult.Command is RootCommand ? string.Empty : parsed.CommandResult.Command.Name;
            if (parsed.Action is not (HelpAction or VersionAction) && FindMistake(parsed) is { } mistake)
            {
                return Refuse(terminal, command, mistake);
            }

            terminal.JournalDevice = parsed.GetValue(journal) is { } device ? FullPath.Of(device) : null;
            try
            {
                int exitCode = await parsed.InvokeAsync(
                    new InvocationConfiguration
                    {
                        EnableDefaultExceptionHandler = false,
                        ProcessTerminationTimeout = null,
                        Output = terminal.Out,
                        Error = terminal.Error,
                    },
                    terminal.Interrupted);
                await terminal.Out.FlushAsync();
                return exitCode;
            }
            catch (Exception e)
            {
                return ErrorLine.Print(terminal, command, e);
            }
        }
    }

    private static RootCommand CreateRoot(Terminal terminal, Option<string?> journal)
    {
        var root = new RootCommand("A file system in user space: ext2, ext3 and ext4 volumes on images, disks and memory.") { HelpName = "penstock" };

        // The library's own ones would take -h, which people expect to mean sizes that they can read.
        root.Options.Clear();
        root.Options.Add(new HelpOption("--help", "-?") { Recursive = true });
        root.Options.Add(new VersionOption("--version") { Action = new VersionAction(terminal) });
        root.Subcommands.Add(new MkfsCommand(terminal));
        root.Subcommands.Add(new MountCommand(terminal));
        root.Subcommands.Add(new UnmountCommand(terminal));
        root.Subcommands.Add(new InfoCommand(terminal));
        root.Subcommands.Add(new CheckCommand(terminal));
        root.Subcommands.Add(new DfCommand(terminal));
        root.Subcommands.Add(new LsCommand(terminal));
        root.Subcommands.Add(new TreeCommand(terminal));
        root.Subcommands.Add(new StatCommand(terminal));
        root.Subcommands.Add(new CatCommand(terminal));
        root.Subcommands.Add(new CpCommand(terminal));
        root.Subcommands.Add(new MvCommand(terminal));
        root.Subcommands.Add(new LnCommand(terminal));
        root.Subcommands.Add(new MkdirCommand(terminal));
        root.Subcommands.Add(new RmCommand(terminal));
        root.Subcommands.Add(new BenchCommand(terminal));
        root.Subcommands.Add(new CheckoutCommand(terminal, "simulate", "Look for races in the core, under a scheduler that owns every choice"));
        root.Subcommands.Add(new CheckoutCommand(terminal, "crash-test", "Let the power go at every moment of a workload, recover, and judge what is left"));
        root.Subcommands.Add(new CheckoutCommand(terminal, "race-test", "Race real threads on a few files, and judge every read as the simulator does"));
        root.Subcommands.Add(new FsxCommand(terminal));
        root.Subcommands.Add(new AioStressCommand(terminal));
        foreach (Command command in root.Subcommands.Where(c => c is not (MkfsCommand or UnmountCommand or CheckoutCommand or FsxCommand or AioStressCommand)))
        {
            command.Options.Add(journal);
        }

        return root;
    }

    private static string? FindMistake(ParseResult parsed)
    {
        if (parsed.Tokens.Count == 0)
        {
            return "a command is needed";
        }

        // The parser takes an option that it does not know for a file name.
        foreach (Token token in parsed.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
            {
                break;
            }

            if (token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-')
            {
                return $"option '{token.Value}' is not known";
            }
        }

        return parsed.UnmatchedTokens.Count > 0 ? $"'{parsed.UnmatchedTokens[0]}' is not understood"
            : parsed.Errors.Count > 0 ? parsed.Errors[0].Message.TrimEnd('.').ReplaceLineEndings(" ")
            : null;
    }

    private static int Refuse(Terminal terminal, string command, string mistake)
    {
        string where = command.Length > 0 ? $"penstock {command}" : "penstock";
        terminal.Error.WriteLine($"{where}: {mistake}; see {where} --help");
        return ExitCode.Usage;
    }

    private sealed class VersionAction(Terminal terminal) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            Version? version = typeof(Volume).Assembly.GetName().Version;
            terminal.Out.WriteLine($"penstock {version?.ToString(3)}");
            return ExitCode.Success;
        }
    }
}
