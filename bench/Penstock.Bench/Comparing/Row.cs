namespace Penstock.Bench.Comparing;

/// <summary>One row of the table: a work, done by us and by a peer.</summary>
/// <param name="Name">What <c>--only</c> looks for.</param>
/// <param name="Work">What is done.</param>
/// <param name="Peer">Who does it beside us.</param>
/// <param name="Target">The ratio of the rates to arrive at.</param>
internal sealed record Row(string Name, string Work, string Peer, double Target)
{
    public required Func<Place, Task<Sample>> Ours { get; init; }

    public required Func<Place, Task<Sample>> Theirs { get; init; }

    /// <summary>Mounts something, or makes a loop device.</summary>
    public bool NeedsRoot { get; init; }
}
