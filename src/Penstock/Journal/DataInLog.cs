using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The blocks of file data of which the log may have a copy, from its beginning to the running transaction: what of them is freed must be revoked. At most as many as
/// the log has blocks. Guarded by the journal's latch.
/// </summary>
internal sealed class DataInLog
{
    /// <summary>The newest transaction in the log with a copy; null while that is still to be written.</summary>
    private readonly Dictionary<VolumeBlock, LoggedTransaction?> _newest = [];
    private readonly Dictionary<LoggedTransaction, List<VolumeBlock>> _copies = new(ReferenceEqualityComparer.Instance);

    public bool IsEmpty => _newest.Count == 0;

    /// <summary>A change of the block joins the running transaction.</summary>
    public void Put(VolumeBlock block) => _newest[block] = null;

    /// <summary>The blocks of a transaction have been committed to the log.</summary>
    public void Committed(List<MetadataBlock> blocks, LoggedTransaction logged)
    {
        List<VolumeBlock>? copies = null;
        foreach (MetadataBlock block in blocks)
        {
            if (_newest.ContainsKey(block.Number))
            {
                _newest[block.Number] = logged;
                (copies ??= []).Add(block.Number);
            }
        }

        if (copies is not null)
        {
            _copies.Add(logged, copies);
        }
    }

    /// <summary>The log begins behind a transaction now.</summary>
    public void Left(LoggedTransaction logged)
    {
        if (!_copies.Remove(logged, out List<VolumeBlock>? copies))
        {
            return;
        }

        foreach (VolumeBlock block in copies)
        {
            if (_newest.TryGetValue(block, out LoggedTransaction? newest) && ReferenceEquals(newest, logged))
            {
                _newest.Remove(block);
            }
        }
    }

    /// <summary>Blocks were freed: those of which the log may have a copy are added to the list, and are to be revoked; then no copy counts any more.</summary>
    public void Take(VolumeBlock first, ulong count, List<VolumeBlock> found)
    {
        if (count <= (ulong)_newest.Count)
        {
            for (ulong i = 0; i < count; i++)
            {
                if (_newest.ContainsKey(first + i))
                {
                    found.Add(first + i);
                }
            }
        }
        else
        {
            found.AddRange(_newest.Keys.Where(block => block >= first && block - first < count));
        }

        foreach (VolumeBlock block in found)
        {
            _newest.Remove(block);
        }
    }
}
