namespace Penstock.Execution;

/// <summary>An alarm clock: set, it runs its work once after the delay; set again before that, the newer delay counts.</summary>
internal abstract class Alarm : IDisposable
{
    /// <summary>Sets the alarm to go off after <paramref name="delay"/>.</summary>
    public abstract void Set(TimeSpan delay);

    /// <summary>Cancels the alarm. Work that has begun goes on.</summary>
    public abstract void Cancel();

    /// <inheritdoc/>
    public abstract void Dispose();
}
