using System.Globalization;
using System.Text;

namespace Penstock.Stress.Fsx;

/// <summary>
/// A log on disk: a shell script that replays itself. The shell never comes to the operations, which stand after the line that replaces it.
/// </summary>
internal sealed record FsxLog(FsxOptions Options, IReadOnlyList<FsxOperation> Operations)
{
    private const string Mark = "# penstock fsx log, version 1";
    private const string OptionsMark = "# options:";

    /// <summary>Writes the log.</summary>
    /// <param name="path">The file, which is replaced.</param>
    /// <param name="program">The program that replays it.</param>
    /// <param name="target">The target it comes from.</param>
    /// <param name="found">What the last operation showed.</param>
    public void Write(string path, string program, string target, string found)
    {
        var text = new StringBuilder("#!/bin/sh\n").Append(Mark).Append('\n');
        text.Append("# Replay it, on the target it was found on or on another: sh ").Append(Quote(path)).Append(" [TARGET]\n");
        text.Append("# Found: ").Append(found.ReplaceLineEndings(" ")).Append('\n');
        text.Append(OptionsMark).Append(CultureInfo.InvariantCulture, $" seed={Options.Seed} max-length={Options.MaxLength}")
            .Append(CultureInfo.InvariantCulture, $" max-transfer={Options.MaxTransfer} files={Options.Files} depth={Options.Depth}")
            .Append(CultureInfo.InvariantCulture, $" mixes={(Options.MixesModes ? 1 : 0)}\n");
        text.Append("exec \"${PENSTOCK:-").Append(program).Append("}\" fsx \"${1:-").Append(target).Append("}\" --replay \"$0\"\n");
        foreach (FsxOperation operation in Operations)
        {
            text.Append(operation).Append('\n');
        }

        File.WriteAllText(path, text.ToString());
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, (UnixFileMode)0x1ED);
        }
    }

    /// <summary>Reads a log.</summary>
    /// <exception cref="FileSystemException">It cannot be read, or is no log; the message names the line.</exception>
    public static FsxLog Read(string path, FsxOptions options)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FileSystemException(IoFault.NotFound, $"{path}: the log cannot be read: {e.Message}", e);
        }

        if (!lines.Contains(Mark))
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{path}: no log of penstock fsx: the line '{Mark}' is missing");
        }

        var operations = new List<FsxOperation>();
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Trim();
            try
            {
                if (line.StartsWith(OptionsMark, StringComparison.Ordinal))
                {
                    options = line[OptionsMark.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Aggregate(options, With);
                }
                else if (line.Length > 0 && line[0] != '#' && !line.StartsWith("exec ", StringComparison.Ordinal))
                {
                    operations.Add(FsxOperation.Parse(line));
                }
            }
            catch (FormatException e)
            {
                throw new FileSystemException(IoFault.InvalidArgument, $"{path}: line {i + 1}: {e.Message}", e);
            }
        }

        return new FsxLog(options, operations);
    }

    /// <summary>A text as one word of the shell.</summary>
    public static string Quote(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-:+,".Contains(c, StringComparison.Ordinal))
            ? text
            : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static FsxOptions With(FsxOptions options, string word)
    {
        string[] pair = word.Split('=', 2);
        if (pair.Length != 2 || !ulong.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
        {
            throw new FormatException($"'{word}' is not understood");
        }

        return pair[0] switch
        {
            "seed" => options with { Seed = value },
            "max-length" when value is > 0 and <= FsxOptions.MostLength => options with { MaxLength = (long)value },
            "max-transfer" when value is > 0 and <= FsxOptions.MostTransfer => options with { MaxTransfer = (int)value },
            "files" when value is > 0 and <= FsxOptions.MaxFiles => options with { Files = (int)value },
            "depth" when value is > 0 and <= FsxOptions.MaxDepth => options with { Depth = (int)value },
            "mixes" => options with { MixesModes = value != 0 },
            _ => throw new FormatException($"'{word}' is not understood, or out of range"),
        };
    }
}
