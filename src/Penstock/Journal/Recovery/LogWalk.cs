using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>
/// A way through the log from its start: one descriptor, revoke or commit block after the other, as long as they belong to the transaction that is due.
/// Every pass of a recovery takes it.
/// </summary>
internal sealed class LogWalk(LogArea area, LogReader reader)
{
    private uint _next = area.Superblock.Start;
    private uint _passed;

    /// <summary>The transaction whose blocks are due.</summary>
    public LogSequence Sequence { get; set; } = new(area.Superblock.Sequence);

    /// <summary>What the current block is.</summary>
    public LogBlockType Type { get; private set; }

    /// <summary>The number of the current block.</summary>
    public uint Block => reader.Block;

    public ReadOnlySpan<byte> Current => reader.Current;

    /// <summary>The block behind the current one.</summary>
    public uint Next => _next;

    /// <summary>Goes to the next block with a header. False where none of the due transaction stands: the log ends there.</summary>
    public async ValueTask<bool> MoveAsync()
    {
        if (!await StepAsync().ConfigureAwait(false) || !LogBlockHeader.TryRead(Current, out LogBlockHeader header))
        {
            return false;
        }

        Type = header.Type;
        return header.Sequence == Sequence;
    }

    /// <summary>Goes to the next block, of data. False where the whole log was walked: it ends there at the latest, whatever stands in it.</summary>
    public async ValueTask<bool> StepAsync()
    {
        if (++_passed > area.Geometry.Length)
        {
            return false;
        }

        await reader.LoadAsync(_next).ConfigureAwait(false);
        _next = area.Geometry.Advance(_next, 1);
        return true;
    }

    /// <summary>Goes past blocks of data.</summary>
    public void Skip(int count)
    {
        _passed += (uint)count;
        _next = area.Geometry.Advance(_next, (uint)count);
    }
}
