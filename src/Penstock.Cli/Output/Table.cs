namespace Penstock.Cli.Output;

/// <summary>Rows with their columns aligned: names to the left, numbers to the right.</summary>
internal static class Table
{
    public static void Print(TextWriter output, IReadOnlyList<string[]> rows, int leftColumns)
    {
        var widths = new int[rows[0].Length];
        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Length);
            }
        }

        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length; i++)
            {
                output.Write(i < leftColumns ? row[i].PadRight(widths[i]) : row[i].PadLeft(widths[i]));
                output.Write(i + 1 < row.Length ? " " : Environment.NewLine);
            }
        }
    }
}
