using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Memory;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Devices;

/// <summary>
/// What a device would hold after a loss of power: all that flushes covered, and of what was written since any part, unit by unit: a
/// sector, or without a journal a block of the volume, since then nobody can promise anything of a device that tears them.
/// </summary>
internal sealed class StableMemory(ChunkMemory content, int unit)
{
    private readonly ChunkMemory _stable = content.Clone();
    private readonly List<Unflushed> _unflushed = [];

    /// <summary>A write has completed, after <paramref name="completedBefore"/> others.</summary>
    public void Wrote(DeviceRequest request, long completedBefore, bool isThrough)
    {
        var bytes = new byte[request.Length];
        content.Read(request.Offset, bytes);
        if (isThrough)
        {
            Apply(new Unflushed(request.Offset, bytes, completedBefore));
        }

        _unflushed.Add(new Unflushed(request.Offset, bytes, completedBefore));
    }

    /// <summary>A flush has completed, before whose submission so many requests had.</summary>
    public void Flushed(long completedBefore)
    {
        int covered = 0;
        while (covered < _unflushed.Count && _unflushed[covered].Number < completedBefore)
        {
            Apply(_unflushed[covered++]);
        }

        _unflushed.RemoveRange(0, covered);
    }

    /// <summary>Reads what is stable.</summary>
    public void Read(long offset, Span<byte> bytes) => _stable.Read(offset, bytes);

    /// <summary>What is left if the power goes now.</summary>
    public ChunkMemory Lose(Chance chance, IEnumerable<DeviceRequest> inFlight)
    {
        ChunkMemory left = _stable.Freeze().Clone();
        int share = chance.Of(0, 64, 128, 256);
        foreach (Unflushed write in _unflushed)
        {
            Survive(left, write.Offset, write.Bytes, chance, share);
        }

        foreach (DeviceRequest request in inFlight)
        {
            if (request.IsWrite && request.IsTransfer)
            {
                var bytes = new byte[request.Length];
                int at = 0;
                foreach (IoSegment segment in request.Segments)
                {
                    segment.Bytes.CopyTo(bytes.AsSpan(at));
                    at += segment.Length;
                }

                Survive(left, request.Offset, bytes, chance, share);
            }
        }

        return left;
    }

    private void Survive(ChunkMemory left, long offset, byte[] bytes, Chance chance, int share)
    {
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)Math.Min(bytes.Length - at, UnitEnd(offset + at) - (offset + at));
            if (chance.Next(256) < share)
            {
                left.Write(offset + at, bytes.AsSpan(at, length));
            }

            at += length;
        }
    }

    /// <summary>The superblock is whole or absent too: as in the crash test, which says why.</summary>
    private long UnitEnd(long place) =>
        place is >= Superblock.VolumeOffset and < Superblock.VolumeOffset + Superblock.Size ? Superblock.VolumeOffset + Superblock.Size : place - (place % unit) + unit;

    private void Apply(Unflushed write) => _stable.Write(write.Offset, write.Bytes);

    private readonly record struct Unflushed(long Offset, byte[] Bytes, long Number);
}
