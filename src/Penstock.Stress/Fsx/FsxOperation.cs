using System.Globalization;
using System.Text;
using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>One operation, complete: replayed in any company it does the same, as far as the file lets it.</summary>
internal readonly record struct FsxOperation
{
    /// <summary>Its number in the run it comes from; what it writes is made of it.</summary>
    public required int Number { get; init; }

    /// <summary>What it does.</summary>
    public required OperationKind Kind { get; init; }

    /// <summary>Which of the files.</summary>
    public int File { get; init; }

    /// <summary>Where, in bytes; the new size of a truncate.</summary>
    public long Offset { get; init; }

    /// <summary>How many bytes.</summary>
    public long Length { get; init; }

    /// <summary>Where a copy goes, in bytes.</summary>
    public long Target { get; init; }

    /// <summary>Which file a copy goes to.</summary>
    public int TargetFile { get; init; }

    /// <summary>In how many pieces of memory.</summary>
    public int Pieces { get; init; }

    /// <summary>How.</summary>
    public TransferModes Modes { get; init; }

    /// <summary>Whether it is in flight together with its neighbours, as far as they do not overlap.</summary>
    public bool IsAsync { get; init; }

    /// <summary>Whether it is direct.</summary>
    public bool IsDirect => Modes.HasFlag(TransferModes.Direct);

    /// <summary>The first byte after the range.</summary>
    public long End => Offset + Length;

    /// <summary>The line of a log.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Kind.ToWord());
        if (Kind.HasRange())
        {
            Add(text, $" 0x{Offset:x} 0x{Length:x}");
        }
        else if (Kind == OperationKind.Append)
        {
            Add(text, $" 0x{Length:x}");
        }
        else if (Kind is OperationKind.Truncate or OperationKind.Seek)
        {
            Add(text, $" 0x{Offset:x}");
        }

        if (Kind == OperationKind.Copy)
        {
            Add(text, $" 0x{Target:x}");
            text.Append(TargetFile != 0 ? string.Create(CultureInfo.InvariantCulture, $" to-file={TargetFile}") : string.Empty);
        }

        text.Append(Modes.HasFlag(TransferModes.Direct) ? " direct" : string.Empty)
            .Append(Modes.HasFlag(TransferModes.DataSync) ? " durable" : string.Empty)
            .Append(IsAsync ? " async" : string.Empty);
        if (Pieces > 1)
        {
            Add(text, $" pieces={Pieces}");
        }

        if (File != 0)
        {
            Add(text, $" file={File}");
        }

        Add(text, $" number={Number}");
        return text.ToString();
    }

    /// <summary>Reads a line of a log.</summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong with it.</exception>
    public static FsxOperation Parse(string line)
    {
        string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        OperationKind kind = OperationKinds.All.Cast<OperationKind?>().FirstOrDefault(k => k!.Value.ToWord() == words[0])
            ?? throw new FormatException($"'{words[0]}' is no operation");
        string[] places = [.. words.Skip(1).TakeWhile(w => char.IsAsciiDigit(w[0]))];
        int needed = kind == OperationKind.Copy ? 3 : kind.HasRange() ? 2 : kind is OperationKind.Append or OperationKind.Truncate or OperationKind.Seek ? 1 : 0;
        if (places.Length != needed)
        {
            throw new FormatException($"{words[0]} takes {needed} numbers, not {places.Length}");
        }

        long[] numbers = [.. places.Select(ParseNumber)];
        FsxOperation operation = new()
        {
            Number = 0,
            Kind = kind,
            Offset = kind == OperationKind.Append || needed == 0 ? 0 : numbers[0],
            Length = kind == OperationKind.Append ? numbers[0] : kind.HasRange() ? numbers[1] : 0,
            Target = kind == OperationKind.Copy ? numbers[2] : 0,
            Pieces = 1,
        };
        return words.Skip(1 + needed).Aggregate(operation, With);
    }

    private static FsxOperation With(FsxOperation operation, string word) => word.Split('=', 2) switch
    {
        ["direct"] => operation with { Modes = operation.Modes | TransferModes.Direct },
        ["durable"] => operation with { Modes = operation.Modes | TransferModes.DataSync },
        ["async"] => operation with { IsAsync = true },
        ["pieces", var n] => operation with { Pieces = Small(n, 1, FsxSession.MaxPieces) },
        ["file", var n] => operation with { File = Small(n, 0, FsxOptions.MaxFiles - 1) },
        ["to-file", var n] => operation with { TargetFile = Small(n, 0, FsxOptions.MaxFiles - 1) },
        ["number", var n] => operation with { Number = Small(n, 0, int.MaxValue) },
        _ => throw new FormatException($"'{word}' is not understood"),
    };

    private static int Small(string text, int least, int most) => ParseNumber(text) is var n && n >= least && n <= most
        ? (int)n
        : throw new FormatException($"'{text}' is not from {least} to {most}");

    private static long ParseNumber(string text)
    {
        bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isNumber = isHex
            ? long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long number)
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return isNumber && number is >= 0 and < 1L << 48 ? number : throw new FormatException($"'{text}' is no number, or too large");
    }

    private static void Add(StringBuilder text, FormattableString part) => text.Append(part.ToString(CultureInfo.InvariantCulture));
}
