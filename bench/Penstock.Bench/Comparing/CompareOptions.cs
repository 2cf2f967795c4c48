namespace Penstock.Bench.Comparing;

/// <summary>What the user of <c>bench/compare</c> asked for.</summary>
internal sealed record CompareOptions
{
    public required string Penstock { get; init; }

    public required string ResultFolder { get; init; }

    public required string ScratchFolder { get; init; }

    public IReadOnlyList<string> Only { get; init; } = [];

    public bool IsQuick { get; init; }

    public bool OnlyLists { get; init; }

    /// <summary>Whether a row of this name was asked for.</summary>
    public bool Wants(string name) => Only.Count == 0 || Only.Any(o => name.Contains(o, StringComparison.Ordinal));

    public int Pairs => IsQuick ? 5 : 15;

    /// <exception cref="ArgumentException">An option is not known, or lacks its value.</exception>
    public static CompareOptions Parse(ReadOnlySpan<string> arguments)
    {
        string? penstock = null;
        string? results = null;
        string? scratch = null;
        var only = new List<string>();
        bool isQuick = false;
        bool lists = false;
        for (int i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--quick":
                    isQuick = true;
                    break;
                case "--list":
                    lists = true;
                    break;
                case var name when i + 1 == arguments.Length:
                    throw new ArgumentException($"{name} is not known, or lacks its value");
                case "--only":
                    only.Add(arguments[++i]);
                    break;
                case "--penstock":
                    penstock = arguments[++i];
                    break;
                case "--out":
                    results = arguments[++i];
                    break;
                case "--scratch":
                    scratch = arguments[++i];
                    break;
                case var name:
                    throw new ArgumentException($"{name} is not known");
            }
        }

        results = Path.GetFullPath(results ?? "results");
        return new CompareOptions
        {
            Penstock = Path.GetFullPath(penstock ?? "penstock"),
            ResultFolder = results,
            ScratchFolder = Path.GetFullPath(scratch ?? Path.Combine(results, "scratch")),
            Only = only,
            IsQuick = isQuick,
            OnlyLists = lists,
        };
    }
}
