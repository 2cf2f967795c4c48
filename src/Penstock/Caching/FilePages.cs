namespace Penstock.Caching;

/// <summary>The cached pages of one file.</summary>
internal sealed class FilePages
{
    public FilePages(Files.Inode inode) => Inode = inode;

    public Files.Inode Inode { get; }

    public bool IsEmpty => throw new NotImplementedException();

    public WritebackErrors Errors { get; } = new();

    public ValueTask<IoFault> WriteBackAsync(long offset, long length) => throw new NotImplementedException();

    public ValueTask<bool> InvalidateAsync(long offset, long length) => throw new NotImplementedException();

    public ValueTask RemoveAsync(long offset, long length) => throw new NotImplementedException();
}

/// <summary>Where one open file stands in the sequence of write-back errors.</summary>
internal sealed class ErrorCursor
{
}

/// <summary>The write-back errors of one file.</summary>
internal sealed class WritebackErrors
{
    public ErrorCursor Sample() => throw new NotImplementedException();

    public IoFault Check(ErrorCursor cursor) => throw new NotImplementedException();

    public void Record(IoFault fault) => throw new NotImplementedException();
}
