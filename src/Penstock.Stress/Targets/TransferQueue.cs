namespace Penstock.Stress.Targets;

/// <summary>Transfers in flight, by slot. Made, used and disposed by one thread; disposed only when nothing is in flight.</summary>
internal abstract class TransferQueue : IDisposable
{
    /// <summary>Prepares a transfer in a free slot.</summary>
    public abstract void Add(int slot, in Transfer transfer);

    /// <summary>Sets off what was prepared.</summary>
    public abstract void Submit();

    /// <summary>Waits for a transfer and frees its slot.</summary>
    public abstract int Take(out IoResult result);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool isDisposing);
}
