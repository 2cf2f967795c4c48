namespace Penstock.Caching;

/// <summary>The files that have dirty pages, in the order in which they became dirty, so that the oldest are written first.</summary>
internal sealed class DirtyFileList
{
    private readonly object _latch = new();
    private readonly LinkedList<FilePages> _files = new();

    public bool IsEmpty
    {
        get
        {
            lock (_latch)
            {
                return _files.Count == 0;
            }
        }
    }

    public void Add(LinkedListNode<FilePages> node)
    {
        lock (_latch)
        {
            if (node.List is null)
            {
                _files.AddLast(node);
            }
        }
    }

    public void Remove(LinkedListNode<FilePages> node)
    {
        lock (_latch)
        {
            if (node.List is not null)
            {
                _files.Remove(node);
            }
        }
    }

    /// <summary>The files as they are now.</summary>
    public FilePages[] Snapshot()
    {
        lock (_latch)
        {
            return [.. _files];
        }
    }
}
