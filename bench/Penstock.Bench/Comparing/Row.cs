namespace Penstock.Bench.Comparing;

/// <summary>One row of the table.</summary>
/// <param name="Name">What <c>--only</c> looks for.</param>
/// <param name="Work">What is done.</param>
/// <param name="Peer">Who does it beside us.</param>
/// <param name="Target">The ratio of the rates to arrive at; 0 where there is none.</param>
internal sealed record Row(string Name, string Work, string Peer, double Target);
