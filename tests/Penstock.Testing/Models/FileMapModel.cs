using Penstock.Mapping;

namespace Penstock.Testing.Models;

/// <summary>The naive twin of a block mapper: an entry for each block of the file.</summary>
internal sealed class FileMapModel
{
    private readonly SortedDictionary<ulong, (ulong Volume, MapState State)> _blocks = [];

    public int Count => _blocks.Count;

    public IEnumerable<ulong> VolumeBlocks => _blocks.Values.Select(b => b.Volume);

    /// <summary>The file block after the last one.</summary>
    public ulong End => _blocks.Count == 0 ? 0 : _blocks.Keys.Last() + 1;

    public (ulong Volume, MapState State) this[ulong block] => _blocks.TryGetValue(block, out var found) ? found : (0, MapState.Hole);

    public void Add(BlockRun run)
    {
        for (ulong i = 0; i < run.Count; i++)
        {
            _blocks.Add(run.First.Value + i, (run.Volume.Value + i, run.State));
        }
    }

    public void Remove(ulong first, ulong count) => Change(first, count, _ => null);

    public void Turn(ulong first, ulong count, MapState to) => Change(first, count, b => (b.Volume, to));

    public void Collapse(ulong first, ulong count)
    {
        Remove(first, count);
        Shift(first + count, block => block - count);
    }

    public void Insert(ulong first, ulong count) => Shift(first, block => block + count);

    /// <summary>How many blocks of the run are not as the model has them.</summary>
    public string? Contradiction(BlockRun run)
    {
        for (ulong i = 0; i < run.Count; i++)
        {
            (ulong volume, MapState state) = this[run.First.Value + i];
            if (state != run.State || (run.IsAllocated && volume != run.Volume.Value + i))
            {
                return $"file block {run.First.Value + i} is {state} at {volume}, but {run} says otherwise";
            }
        }

        return null;
    }

    private void Change(ulong first, ulong count, Func<(ulong Volume, MapState State), (ulong, MapState)?> change)
    {
        foreach (ulong block in _blocks.Keys.Where(b => b >= first && b - first < count).ToList())
        {
            if (change(_blocks[block]) is { } changed)
            {
                _blocks[block] = changed;
            }
            else
            {
                _blocks.Remove(block);
            }
        }
    }

    private void Shift(ulong from, Func<ulong, ulong> move)
    {
        var moved = _blocks.Where(b => b.Key >= from).ToList();
        moved.ForEach(b => _blocks.Remove(b.Key));
        moved.ForEach(b => _blocks.Add(move(b.Key), b.Value));
    }
}
