namespace Penstock.Simulation.Crash.Judging;

/// <summary>What came of the recovery of one image, whoever asks: the same image is often left at several moments, at which different things are promised.</summary>
/// <param name="Tree">All that is there; null if it could not be read.</param>
/// <param name="Problem">What is wrong with it, whatever was promised; null if nothing.</param>
/// <param name="VolumeHash">A hash of the volume, its journal left out.</param>
/// <param name="ContentHash">A hash of all that a user sees.</param>
internal sealed record Recovered(FoundTree? Tree, string? Problem, ulong VolumeHash, ulong ContentHash);

/// <summary>The last images that were recovered, by a hash of them.</summary>
internal sealed class RecoveredImages
{
    private const int Kept = 96;

    private readonly Dictionary<ulong, Recovered> _known = [];
    private readonly Queue<ulong> _order = new();

    public Recovered? Find(ulong hash) => _known.GetValueOrDefault(hash);

    public Recovered Add(ulong hash, Recovered recovered)
    {
        if (_known.TryAdd(hash, recovered))
        {
            _order.Enqueue(hash);
            if (_order.Count > Kept)
            {
                _known.Remove(_order.Dequeue());
            }
        }

        return recovered;
    }
}
