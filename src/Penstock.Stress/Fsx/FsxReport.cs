using System.Globalization;
using System.Text;
using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>A discrepancy in words: what, the bytes, whose they are, and the last operations on them.</summary>
internal static class FsxReport
{
    private const int BytesPerLine = 16;
    private const int OperationsShown = 8;

    /// <summary>One sentence.</summary>
    public static string Headline(Discrepancy found)
    {
        string where = found.Operation is { } operation ? $"operation {operation.Number} ({operation})" : $"after {found.Position} operations";
        string at = found.Offset >= 0 ? string.Create(CultureInfo.InvariantCulture, $", the first at 0x{found.Offset:x}") : string.Empty;
        return $"{where}: {found.What}{at}";
    }

    /// <summary>The whole story.</summary>
    public static string Describe(Discrepancy found, IReadOnlyList<FsxOperation> log)
    {
        var text = new StringBuilder(Headline(found)).Append('\n');
        if (found.Offset >= 0)
        {
            AppendBytes(text, found);
            AppendOwners(text, found, log.Count > 0 ? log.Max(o => o.Number) : 0);
        }

        AppendLast(text, found, log);
        return text.ToString();
    }

    private static void AppendBytes(StringBuilder text, Discrepancy found)
    {
        for (int line = 0; line < found.Found.Length; line += BytesPerLine)
        {
            int length = Math.Min(BytesPerLine, found.Found.Length - line);
            ReadOnlySpan<byte> wanted = found.Expected.AsSpan(line, length);
            ReadOnlySpan<byte> got = found.Found.AsSpan(line, length);
            string mark = got.SequenceEqual(wanted) ? "   " : "  *";
            text.Append(CultureInfo.InvariantCulture, $"{mark}0x{found.ExcerptOffset + line:x8}  must be {Hex(wanted),-32}  is {Hex(got)}\n");
        }
    }

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    private static void AppendOwners(StringBuilder text, Discrepancy found, int lastNumber)
    {
        int at = (int)(found.Offset - found.ExcerptOffset);
        text.Append("  must be ").Append(Owner(found, found.Expected, at, lastNumber))
            .Append("; is ").Append(Owner(found, found.Found, at, lastNumber)).Append('\n');
    }

    /// <summary>Whose the bytes are: of the word that holds the first wrong one, or of the next whole one.</summary>
    private static string Owner(Discrepancy found, byte[] bytes, int at, int lastNumber)
    {
        long misalignment = (found.ExcerptOffset + at) % 8;
        for (int start = (int)(at - misalignment); start + 8 <= bytes.Length && start <= at + 8; start += 8)
        {
            if (start < 0)
            {
                continue;
            }

            ReadOnlySpan<byte> word = bytes.AsSpan(start, 8);
            if (word.IndexOfAnyExcept((byte)0) < 0)
            {
                return "zeros";
            }

            if (found.Tag.TryRead(word, lastNumber, out int number, out int file, out long offset))
            {
                string place = offset == found.ExcerptOffset + start && file == found.File ? string.Empty
                    : string.Create(CultureInfo.InvariantCulture, $" for 0x{offset:x} of file {file}");
                return string.Create(CultureInfo.InvariantCulture, $"what operation {number} wrote{place}");
            }
        }

        return "of no operation of this run";
    }

    private static void AppendLast(StringBuilder text, Discrepancy found, IReadOnlyList<FsxOperation> log)
    {
        long first = found.Offset >= 0 ? found.Offset : 0;
        long end = found.Offset >= 0 ? found.Offset + Math.Max(found.Count, 1) : long.MaxValue;
        FsxOperation[] last = [.. log.Where(o => Touches(o, found.File, first, end)).TakeLast(OperationsShown)];
        if (last.Length > 0)
        {
            text.Append("  the last operations ").Append(found.Offset >= 0 ? "on these bytes:\n" : "on the file:\n");
        }

        foreach (FsxOperation operation in last)
        {
            text.Append("    ").Append(operation).Append('\n');
        }
    }

    /// <summary>Whether an operation can have had to do with a range. An append's place is not in the log, so it always may.</summary>
    private static bool Touches(in FsxOperation operation, int file, long start, long end)
    {
        bool isThere = operation.Kind switch
        {
            OperationKind.Append => true,
            OperationKind.Truncate or OperationKind.Collapse or OperationKind.Insert => operation.Offset < end,
            OperationKind.Sync or OperationKind.DataSync or OperationKind.Seek or OperationKind.Read or OperationKind.MapRead => false,
            OperationKind.Reopen or OperationKind.Remount => true,
            _ => operation.Offset < end && start < operation.End,
        };
        bool isCopyThere = operation.Kind == OperationKind.Copy && operation.TargetFile == file
            && operation.Target < end && start < operation.Target + operation.Length;
        return (operation.File == file && isThere) || isCopyThere;
    }
}
