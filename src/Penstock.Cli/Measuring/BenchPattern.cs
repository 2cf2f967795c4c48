namespace Penstock.Cli.Measuring;

/// <summary>Which requests a measurement makes.</summary>
/// <param name="Name">As fio names it.</param>
/// <param name="IsRandom">Whether each request goes to a place of its own; else one after the other, and again from the start.</param>
/// <param name="Reads">Whether some requests read.</param>
/// <param name="Writes">Whether some requests write; with <paramref name="Reads"/>, each does one or the other with equal chances.</param>
/// <param name="Appends">Whether each write goes behind the last one, from the end of the file on.</param>
internal sealed record BenchPattern(string Name, bool IsRandom, bool Reads, bool Writes, bool Appends = false)
{
    public static IReadOnlyList<BenchPattern> All { get; } =
    [
        new("read", IsRandom: false, Reads: true, Writes: false),
        new("write", IsRandom: false, Reads: false, Writes: true),
        new("append", IsRandom: false, Reads: false, Writes: true, Appends: true),
        new("randread", IsRandom: true, Reads: true, Writes: false),
        new("randwrite", IsRandom: true, Reads: false, Writes: true),
        new("randrw", IsRandom: true, Reads: true, Writes: true),
    ];

    public static string Names => string.Join(", ", All.Select(p => p.Name));

    /// <exception cref="UsageException">No such pattern.</exception>
    public static BenchPattern Parse(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new UsageException($"'{name}' is no pattern; there are {Names}");
}
