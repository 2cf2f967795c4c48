namespace Penstock.Stress.Targets;

/// <summary>Where the files under test are: a directory of a mounted file system, or a volume in this process.</summary>
internal abstract class StressFolder : IDisposable
{
    /// <summary>As its user named it.</summary>
    public abstract string Name { get; }

    /// <summary>What it is, in a few words.</summary>
    public abstract string Description { get; }

    /// <summary>The unit of allocation in bytes, as far as it is told.</summary>
    public abstract int BlockSize { get; }

    /// <summary>The name that files under test begin with.</summary>
    public abstract string FilePrefix { get; }

    /// <summary>Free space in bytes, as it is told; <see cref="long.MaxValue"/> where it is not.</summary>
    public virtual long FreeBytes => long.MaxValue;

    /// <summary>Whether <see cref="Remount"/> can be done.</summary>
    public virtual bool CanRemount => false;

    /// <summary>Whether a direct read may reach beyond the block that holds the end of the file.</summary>
    public virtual bool ReadsDirectPastEnd => true;

    /// <summary>How a transfer that is handed to a queue gets done, in a few words.</summary>
    public abstract string QueueDescription { get; }

    /// <summary>Opens a file for reading and writing; makes it, empty, if <paramref name="isNew"/> says so.</summary>
    /// <exception cref="FileSystemException">It cannot be opened.</exception>
    public abstract StressFile Open(string name, bool isNew);

    /// <summary>Removes a file; one that is not there is no failure.</summary>
    public abstract void Delete(string name);

    /// <summary>A queue for the calling thread, which alone uses it.</summary>
    /// <exception cref="FileSystemException">There is none here.</exception>
    public abstract TransferQueue CreateQueue(int depth);

    /// <summary>The alignment of offsets, lengths and memory for direct I/O on <paramref name="file"/> as it is told; 0 if it is not told.</summary>
    public abstract int GetDirectAlignment(StressFile file);

    /// <summary>Unmounts and mounts again; open files stay open for their users.</summary>
    public virtual IoFault Remount() => IoFault.NotSupported;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool isDisposing);
}
