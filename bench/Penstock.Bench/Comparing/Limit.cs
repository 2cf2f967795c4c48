namespace Penstock.Bench.Comparing;

/// <summary>Something that must stay below a limit.</summary>
/// <param name="Name">What <c>--only</c> looks for.</param>
/// <param name="Work">What is measured.</param>
/// <param name="Most">The limit.</param>
/// <param name="Unit">Of both.</param>
internal sealed record Limit(string Name, string Work, double Most, string Unit);
