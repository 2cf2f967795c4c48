using Penstock.Devices;
using Penstock.Memory;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Recording;

/// <summary>
/// What a device was told, in order, and what of it is stable. Of the writes that no flush covers, any may be there after a loss of power, in whole or by
/// sectors; of two to one place the later one, or the earlier one if the later is lost.
/// </summary>
internal sealed class DeviceLog(ChunkMemory content) : IDeviceWitness
{
    private const int LinesKept = 400;

    /// <summary>All that was stable before the first write of <see cref="_tail"/>.</summary>
    private readonly ChunkMemory _stable = content.Clone();
    private readonly List<LoggedWrite> _tail = [];
    private readonly Dictionary<DeviceRequest, long> _flushes = [];
    private readonly Queue<string> _lines = new();
    private long _completed;

    /// <summary>Rises with each submission and completion: between two, nothing has happened that a loss of power could tell.</summary>
    public long Version { get; private set; }

    /// <summary>Writes that have completed, and flushes.</summary>
    public long Writes => _completed;

    public long Flushes { get; private set; }

    public long ThroughWrites { get; private set; }

    /// <summary>The last lines of the log, for people.</summary>
    public IEnumerable<string> Lines => _lines;

    public bool KeepsLines { get; set; }

    /// <summary>Says what is wrong with what is written somewhere, or null.</summary>
    public Func<LoggedWrite, string?>? Audit { get; set; }

    /// <summary>What the audit found first.</summary>
    public string? Problem { get; private set; }

    public void Submitted(DeviceRequest request)
    {
        if (request.Operation == DeviceOperation.Flush)
        {
            _flushes[request] = _completed;
            Tell("flush submitted");
        }
        else if (request.IsWrite)
        {
            Version++;
        }
    }

    public void Wrote(DeviceRequest request, DataOf data, bool isThrough)
    {
        var bytes = new byte[request.Length];
        content.Read(request.Offset, bytes);
        var write = new LoggedWrite(_completed++, request.Operation, data, request.Offset, bytes, HasCompleted: true) { IsStable = isThrough };
        ThroughWrites += isThrough ? 1 : 0;
        _tail.Add(write);
        Settle();
        Version++;
        Problem ??= Audit?.Invoke(write);
        Tell(write.ToString());
    }

    public void Flushed(DeviceRequest request)
    {
        if (!_flushes.Remove(request, out long covered))
        {
            return;
        }

        foreach (LoggedWrite write in _tail)
        {
            write.IsStable |= write.Number < covered;
        }

        Flushes++;
        Settle();
        Version++;
        Tell($"flush completed, all before write {covered} is stable");
    }

    /// <summary>A line about what the workload did.</summary>
    public void Tell(string line)
    {
        if (!KeepsLines)
        {
            return;
        }

        _lines.Enqueue(line);
        if (_lines.Count > LinesKept)
        {
            _lines.Dequeue();
        }
    }

    /// <summary>The writes that a loss of power at this moment may lose, together with those it may not that come after one.</summary>
    public Loss BeginLoss(IEnumerable<DeviceRequest> inFlight, int sectorsInUnit)
    {
        var writes = new List<LoggedWrite>(_tail);
        long number = _completed;
        foreach (DeviceRequest request in inFlight)
        {
            if (request.IsWrite && request.IsTransfer)
            {
                writes.Add(new LoggedWrite(number++, request.Operation, DataOf.Metadata, request.Offset, Copy(request), HasCompleted: false));
            }
        }

        return new Loss(_stable.Freeze(), writes, sectorsInUnit);
    }

    private static byte[] Copy(DeviceRequest request)
    {
        var bytes = new byte[request.Length];
        int at = 0;
        foreach (IoSegment segment in request.Segments)
        {
            segment.Bytes.CopyTo(bytes.AsSpan(at));
            at += segment.Length;
        }

        return bytes;
    }

    private void Settle()
    {
        int settled = 0;
        for (; settled < _tail.Count && _tail[settled].IsStable; settled++)
        {
            _stable.Write(_tail[settled].Offset, _tail[settled].Bytes);
        }

        _tail.RemoveRange(0, settled);
    }
}
