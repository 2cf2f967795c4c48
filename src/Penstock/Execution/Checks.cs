using System.Diagnostics.CodeAnalysis;

namespace Penstock.Execution;

/// <summary>
/// Whether this process carries the expensive checks: the lock recorder and the mutant seam. Off in a shipped build, where the
/// property is a constant that the compiler removes together with all that hangs on it.
/// </summary>
internal static class Checks
{
    [FeatureSwitchDefinition("Penstock.Checks")]
    public static bool IsSupported { get; } = AppContext.TryGetSwitch("Penstock.Checks", out bool on) && on;
}
