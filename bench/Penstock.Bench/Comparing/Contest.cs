namespace Penstock.Bench.Comparing;

/// <summary>What two sides do in turn. One run of a side gives one sample for each of the rows, in their order.</summary>
/// <param name="Rows">The rows.</param>
internal sealed record Contest(params Row[] Rows)
{
    public required Func<Place, Task<Sample[]>> Ours { get; init; }

    public required Func<Place, Task<Sample[]>> Theirs { get; init; }

    /// <summary>Mounts something, or makes a loop device.</summary>
    public bool NeedsRoot { get; init; }

    /// <summary>A contest of one row.</summary>
    public static Contest Of(Row row, Func<Place, Task<Sample>> ours, Func<Place, Task<Sample>> theirs, bool needsRoot = false) => new(row)
    {
        Ours = async place => [await ours(place)],
        Theirs = async place => [await theirs(place)],
        NeedsRoot = needsRoot,
    };
}
