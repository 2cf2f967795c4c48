using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <content>
/// What a log needs of the cache. A block whose newest committed copy is in the log and not in its place is <em>logged</em>: it stays in memory, is never read
/// from the device, and is written to its place by a checkpoint while no transaction that has not committed has changed or freed it.
/// </content>
internal sealed partial class VolumeMetadataCache
{
    private readonly HashSet<MetadataBlock> _logged = [];
    private readonly List<(MetadataBlock Block, VolumeBlock Number, TransactionId By)> _forgotten = [];
    private int _loggedCount;

    /// <summary>
    /// Whether commits go to a log. Then a change of a block whose copy is still to be taken leaves the copy as it was, since the log must not have a part of the
    /// next transaction in this one.
    /// </summary>
    public bool HasLog { get; set; }

    /// <summary>How many blocks have their newest committed copy in the log only.</summary>
    public int LoggedBlocks => Volatile.Read(ref _loggedCount);

    /// <inheritdoc/>
    public override bool TryCopyUnplaced(VolumeBlock block, Span<byte> destination)
    {
        MetadataBlock? found;
        lock (_latch)
        {
            if (!_table.TryGetValue(block, out found) || !(found.LoggedIn is not null || found.State is MetadataState.Dirty or MetadataState.Writing))
            {
                return false;
            }

            // So that it stays this block until it is copied (rules 3 and 7).
            found.Pin();
        }

        lock (found)
        {
            found.Bytes.CopyTo(destination);
        }

        found.Unpin();
        return true;
    }

    /// <summary>
    /// Ends the writing of collected blocks to the log, and unpins them: logged by <paramref name="logged"/>, or dirty again if that is null.
    /// </summary>
    internal void EndLogWrite(List<MetadataBlock> batch, TransactionId transaction, LoggedTransaction? logged)
    {
        foreach (MetadataBlock block in batch)
        {
            block.CancelCopy();
        }

        lock (_latch)
        {
            foreach (MetadataBlock block in batch)
            {
                if (logged is not null)
                {
                    AddLogged(block, logged);
                }
            }
        }

        foreach (MetadataBlock block in batch)
        {
            EndWrite(block, transaction, isWritten: logged is not null);
        }
    }

    /// <summary>The transaction has committed: what it forgot is wanted nowhere any more.</summary>
    internal void EndForgotten(TransactionId committed)
    {
        lock (_latch)
        {
            for (int i = _forgotten.Count - 1; i >= 0; i--)
            {
                (MetadataBlock block, VolumeBlock number, TransactionId by) = _forgotten[i];
                if (by > committed)
                {
                    continue;
                }

                // A frame that owed nothing may be another block's by now.
                if (block.State == MetadataState.Forgotten && block.Number == number)
                {
                    RemoveLogged(block);
                }

                _forgotten.RemoveAt(i);
            }
        }
    }

    /// <summary>
    /// Adds at most <paramref name="most"/> logged blocks, those of the oldest transactions, to <paramref name="batch"/>, pinned. Those that a transaction which
    /// has not committed has changed or forgotten are left out: their place must not have that change, and its commit takes them off the list.
    /// </summary>
    internal void CollectLogged(int most, List<MetadataBlock> batch)
    {
        bool takesChanged = _device.Scheduler.IsBroken(Rule.CheckpointAfterCommit);
        lock (_latch)
        {
            foreach (MetadataBlock block in _logged)
            {
                if (block.State == MetadataState.Clean || (takesChanged && block.State == MetadataState.Dirty))
                {
                    batch.Add(block);
                }
            }

            if (batch.Count > most)
            {
                batch.Sort(static (a, b) => a.LoggedIn!.Id.CompareTo(b.LoggedIn!.Id));
                batch.RemoveRange(most, batch.Count - most);
            }

            foreach (MetadataBlock block in batch)
            {
                block.Pin();
                block.IsAwaitingCopy = true;
            }
        }
    }

    /// <summary>Ends the write of a logged block to its place, and unpins it.</summary>
    internal void EndCheckpoint(MetadataBlock block, bool isWritten)
    {
        block.CancelCopy();
        lock (_latch)
        {
            // What was forgotten meanwhile is taken off the list by the commit of who did.
            if (isWritten && block.State != MetadataState.Forgotten)
            {
                RemoveLogged(block);
            }

            block.Unpin();
        }
    }

    /// <summary>Whether every block of a committed transaction is in its place, or in the log again.</summary>
    internal bool IsInPlace(LoggedTransaction logged)
    {
        lock (_latch)
        {
            return logged.BlocksLeft == 0;
        }
    }

    /// <summary>Latch held.</summary>
    private void AddLogged(MetadataBlock block, LoggedTransaction logged)
    {
        if (block.LoggedIn is { } older)
        {
            older.BlocksLeft--;
        }
        else
        {
            _logged.Add(block);
            _loggedCount = _logged.Count;
        }

        logged.BlocksLeft++;
        block.LoggedIn = logged;
    }

    /// <summary>Latch held.</summary>
    private void RemoveLogged(MetadataBlock block)
    {
        if (block.LoggedIn is { } logged)
        {
            logged.BlocksLeft--;
            block.LoggedIn = null;
            _logged.Remove(block);
            _loggedCount = _logged.Count;
        }
    }

    /// <summary>
    /// Latch held. A logged block, or one that is about to be, is kept until the transaction that forgot it has committed: until then the log may be
    /// replayed without that one.
    /// </summary>
    private void NoteForgotten(MetadataBlock block, TransactionId transaction)
    {
        if (HasLog)
        {
            _forgotten.Add((block, block.Number, transaction));
        }
    }
}
