namespace Penstock.Simulation.Crash.Judging;

/// <summary>Programs that are not ours, as far as they are there. For one thread.</summary>
internal sealed class OutsideJudges : IDisposable
{
    public E2fsck? E2fsck { get; } = E2fsck.TryFind();

    public KernelMount? Kernel { get; } = KernelMount.TryMake();

    public void Dispose()
    {
        E2fsck?.Dispose();
        Kernel?.Dispose();
    }
}
