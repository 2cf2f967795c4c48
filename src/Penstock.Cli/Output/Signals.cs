using System.Runtime.InteropServices;

namespace Penstock.Cli.Output;

/// <summary>SIGINT and SIGTERM as a cancellation: commands end in order, with everything written back. A second one ends the process at once.</summary>
internal static class Signals
{
    private static readonly CancellationTokenSource s_interruption = new();
    private static readonly List<PosixSignalRegistration> s_registrations = [];

    public static CancellationToken Interruption()
    {
        lock (s_registrations)
        {
            if (s_registrations.Count == 0)
            {
                s_registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt));
                s_registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt));
            }
        }

        return s_interruption.Token;
    }

    private static void Interrupt(PosixSignalContext context)
    {
        context.Cancel = !s_interruption.IsCancellationRequested;
        s_interruption.Cancel();
    }
}
