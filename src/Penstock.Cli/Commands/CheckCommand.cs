using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>check</c>: whether a volume is consistent, with e2fsck's exit codes.</summary>
internal sealed class CheckCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _volume = new("VOLUME") { Description = "The volume." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    private readonly Option<bool> _repair = new("--repair") { Description = "Replay a journal that waits, and put right what is wrong." };

    private readonly Option<string?> _undo = new("--undo")
    {
        Description = "With --repair: keep in this new file what is overwritten.", HelpName = "FILE",
    };

    private readonly Option<string?> _undoApply = new("--undo-apply")
    {
        Description = "Only put the volume back to what it was before the repair that made FILE.", HelpName = "FILE",
    };

    private readonly Option<int> _problems = new("--problems")
    {
        Description = "Show so many problems one by one; the rest are only counted.",
        DefaultValueFactory = _ => CheckOptions.Default.MaxProblems,
    };

    public CheckCommand(Terminal terminal)
        : base("check", "Check whether a volume is consistent, or repair it. Exits 0 when clean, 1 when repaired, 4 when errors are left, 8 when it could not run.")
    {
        _terminal = terminal;
        Arguments.Add(_volume);
        Options.Add(_json);
        Options.Add(_problems);
        Options.Add(_repair);
        Options.Add(_undo);
        Options.Add(_undoApply);
        Validators.Add(result =>
        {
            if (result.GetValue(_undo) is not null && !result.GetValue(_repair))
            {
                result.AddError("--undo keeps what a repair overwrites: it needs --repair.");
            }

            if (result.GetValue(_undoApply) is not null && result.GetValue(_repair))
            {
                result.AddError("--undo-apply takes a repair back: it cannot be with --repair.");
            }
        });
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string name = VolumePath.ParseWithDefault(parsed.GetRequiredValue(_volume)).Volume;
        _terminal.Subject = name;
        CheckReport report;
        try
        {
            if (parsed.GetValue(_undoApply) is { } undo)
            {
                long count = await VolumeCheck.UndoAsync(name, undo);
                _terminal.Out.WriteLine($"{name}: as it was before the repair; {count} pieces of 4 KiB put back");
                return (int)CheckVerdict.Clean;
            }

            var options = new CheckOptions { MaxProblems = Math.Max(0, parsed.GetValue(_problems)), UndoFile = parsed.GetValue(_undo), JournalDevice = _terminal.JournalDevice };
            report = parsed.GetValue(_repair)
                ? await VolumeCheck.RepairAsync(name, options, cancellationToken)
                : await VolumeCheck.RunAsync(name, options, cancellationToken);
        }
        catch (FileSystemException e)
        {
            ErrorLine.Print(_terminal, "check", e);
            return (int)CheckVerdict.CouldNotRun;
        }

        if (parsed.GetValue(_json))
        {
            WriteJson(name, report);
        }
        else
        {
            Print(name, report);
        }

        return (int)report.Verdict;
    }

    private void Print(string name, CheckReport report)
    {
        foreach (CheckProblem problem in report.Problems)
        {
            _terminal.Out.WriteLine(problem.ToString());
        }

        if (report.HeldBack > 0)
        {
            _terminal.Out.WriteLine($"and {report.HeldBack} more");
        }

        string verdict = report.Verdict switch
        {
            CheckVerdict.Clean => "clean",
            CheckVerdict.Repaired => $"repaired ({report.RepairedCount} problem{(report.RepairedCount == 1 ? string.Empty : "s")})",
            CheckVerdict.ErrorsLeft => $"{report.ProblemCount} problem{(report.ProblemCount == 1 ? string.Empty : "s")} left",
            _ => "it could not be checked: no superblock can be used",
        };
        string use = report.Inodes == 0 ? string.Empty
            : $"; {report.UsedInodes}/{report.Inodes} inodes, {report.Directories} directories, {report.UsedBlocks}/{report.Blocks} blocks in use";
        _terminal.Out.WriteLine($"{name}: {verdict}{use}");
    }

    private void WriteJson(string name, CheckReport report) => JsonOutput.Write(_terminal, writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("volume", name);
        writer.WriteString("verdict", report.Verdict switch
        {
            CheckVerdict.Clean => "clean",
            CheckVerdict.Repaired => "repaired",
            CheckVerdict.ErrorsLeft => "errors left",
            _ => "could not run",
        });
        writer.WriteNumber("exitCode", (int)report.Verdict);
        writer.WriteNumber("problemCount", report.ProblemCount);
        writer.WriteNumber("repairedCount", report.RepairedCount);
        writer.WriteNumber("heldBack", report.HeldBack);
        writer.WriteNumber("inodes", report.Inodes);
        writer.WriteNumber("usedInodes", report.UsedInodes);
        writer.WriteNumber("directories", report.Directories);
        writer.WriteNumber("blocks", report.Blocks);
        writer.WriteNumber("usedBlocks", report.UsedBlocks);
        writer.WriteStartArray("problems");
        foreach (CheckProblem problem in report.Problems)
        {
            writer.WriteStartObject();
            writer.WriteString("structure", problem.Structure);
            writer.WriteString("place", problem.Place);
            writer.WriteString("description", problem.Description);
            writer.WriteBoolean("note", problem.IsNote);
            writer.WriteBoolean("repaired", problem.IsRepaired);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });
}
