namespace Penstock.Stress.Targets;

/// <summary>
/// A file under test, by whatever way it is reached. Calls block until they are done, and say what went wrong as a value: a fault can be what a test looks for.
/// One thread uses it at a time, queues aside.
/// </summary>
internal abstract class StressFile(string name) : IDisposable
{
    /// <summary>Its name in the folder.</summary>
    public string Name { get; } = name;

    /// <summary>The size in bytes.</summary>
    public abstract IoFault GetLength(out long length);

    /// <summary>Reads; the count is short only at the end of the file.</summary>
    public abstract IoResult Read(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes);

    /// <summary>Writes.</summary>
    public abstract IoResult Write(IReadOnlyList<Memory<byte>> memory, long offset, TransferModes modes);

    /// <summary>Cuts or extends.</summary>
    public abstract IoFault SetLength(long length);

    /// <summary>fallocate, in all its modes.</summary>
    public abstract IoFault ChangeRange(FileRangeChange change, long offset, long length);

    /// <summary>copy_file_range to a file of the same folder, or within this one.</summary>
    public abstract IoResult CopyRange(long offset, StressFile target, long targetOffset, long length);

    /// <summary>fsync, or fdatasync.</summary>
    public abstract IoFault Flush(bool dataOnly);

    /// <summary>Closes the file and opens it again.</summary>
    public abstract IoFault Reopen();

    /// <summary>Writes the range back and lets the cache forget it.</summary>
    public abstract IoFault DropCache(long offset, long length);

    /// <summary>SEEK_DATA or SEEK_HOLE; NoSuchRange where nothing is found.</summary>
    public abstract IoFault Find(bool isData, long offset, out long found);

    /// <summary>Reads through a memory map of the file. The range may reach to the end of the page that holds the last byte.</summary>
    public virtual IoResult ReadMapped(Memory<byte> memory, long offset) => IoResult.Failed(IoFault.NotSupported);

    /// <summary>Writes through a memory map of the file, within its size.</summary>
    public virtual IoResult WriteMapped(Memory<byte> memory, long offset, TransferModes modes) => IoResult.Failed(IoFault.NotSupported);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool isDisposing);
}
