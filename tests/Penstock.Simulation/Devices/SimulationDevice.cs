using System.Globalization;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.DirectIO;
using Penstock.Memory;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Devices;

/// <summary>
/// A device in memory whose every liberty is drawn from the run's seed: in what order requests complete, when their bytes move (at submission, at
/// completion, some sectors now and some later), what fails and how much of it was transferred all the same.
/// </summary>
internal sealed class SimulationDevice : BlockDevice, IEventSource
{
    /// <summary>The unit that a device writes whole, in bytes.</summary>
    public const int Sector = 512;

    private readonly SimulationScheduler _scheduler;
    private readonly Chance _chance;
    private readonly List<Flight> _flights = [];
    private readonly Stack<Flight> _spare = new();
    private ChunkMemory _content;
    private int _number;
    private long _completed;
    private bool _isFlushBroken;

    public SimulationDevice(SimulationScheduler scheduler, ChunkMemory content, long length, Chance chance)
        : base("simulated", scheduler)
    {
        _scheduler = scheduler;
        _content = content;
        _chance = chance;
        Length = length;
        scheduler.Device = this;
    }

    public override string Description => "simulated";

    public override long Length { get; }

    public override int LogicalBlockSize => Sector;

    public override int PhysicalBlockSize => Sector;

    public override int MemoryAlignment => Sector;

    public override bool IsReadOnly => false;

    public override bool CanDiscard => true;

    public DeviceProfile Profile { get; set; } = new();

    public ChunkMemory Content => _content;

    /// <summary>What would be left after a loss of power, where the profile asks for it.</summary>
    public StableMemory? Stable { get; set; }

    /// <summary>Asked how the request of a number, in the order of submission, ends; null for as it would.</summary>
    public Func<int, DeviceRequest, IoResult?>? FaultRule { get; set; }

    /// <summary>Told of everything that a loss of power could undo or tear.</summary>
    public IDeviceWitness? Witness { get; set; }

    /// <summary>Whether a request is held back until nothing else can go on, asked as it is submitted.</summary>
    public Func<DeviceRequest, bool>? HoldRule { get; set; }

    /// <summary>Told of requests that were held and now are not, because nothing else could go on.</summary>
    public Action? LettingGo { get; set; }

    /// <summary>Told of each fault that is injected, before the request completes.</summary>
    public Action<DeviceRequest, DataOf, IoFault>? Failing { get; set; }

    /// <summary>Told of each request as it is submitted, to judge whether it may be.</summary>
    public Action<DeviceRequest, DataOf>? Submitting { get; set; }

    /// <summary>Told of each request before its bytes move for the last time.</summary>
    public Action<DeviceRequest, DataOf>? Completing { get; set; }

    /// <summary>How many faults were injected so far.</summary>
    public int Faults { get; private set; }

    /// <summary>How many requests were submitted so far.</summary>
    public int Submissions => _number;

    public int InFlight => _flights.Count;

    /// <summary>Whether a fill of the page cache is in flight.</summary>
    public bool HasFills => _flights.Exists(static f => f.Data == DataOf.Fill);

    /// <summary>The requests in flight.</summary>
    public IEnumerable<DeviceRequest> Requests => _flights.Select(static f => f.Request);

    public int Pending { get; private set; }

    public void Happen(Chance chance)
    {
        int index = chance.Next(_flights.Count);
        for (int tries = 0; _flights[index].IsHeld || (_flights[index].IsSlow && tries < 6); tries++)
        {
            index = _flights[index].IsHeld ? (index + 1) % _flights.Count : chance.Next(_flights.Count);
        }

        Flight flight = _flights[index];
        _flights.RemoveAt(index);
        Pending--;
        Complete(flight);
    }

    public bool LetGo()
    {
        if (_flights.Count == Pending)
        {
            return false;
        }

        LettingGo?.Invoke();
        foreach (Flight flight in _flights)
        {
            flight.IsHeld = false;
        }

        Pending = _flights.Count;
        return true;
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    protected override void SubmitChecked(DeviceRequest request)
    {
        DataOf data = request.Owner switch
        {
            DirectIoRequest => DataOf.Direct,
            PageFill => DataOf.Fill,
            WritebackBatch => DataOf.Writeback,
            _ => DataOf.Metadata,
        };
        Submitting?.Invoke(request, data);
        Witness?.Submitted(request);
        Flight flight = _spare.Count > 0 ? _spare.Pop() : new Flight();
        flight.Request = request;
        flight.Number = _number++;
        flight.Data = data;
        flight.CompletedBefore = _completed;
        flight.IsHeld = HoldRule?.Invoke(request) ?? false;
        flight.IsSlow = _chance.Next(256) < Profile.SlowRequests;
        flight.MovedPattern = request.IsTransfer ? DrawMoves() : 0;
        _scheduler.Trace.Note(TraceKind.Submission, ((ulong)request.Operation << 56) | (ulong)request.Offset, (ulong)request.Length);
        Tell(flight, "submitted", "");
        Move(flight, flight.MovedPattern, request.Length);
        _flights.Add(flight);
        Pending += flight.IsHeld ? 0 : 1;
    }

    private ulong DrawMoves()
    {
        int draw = _chance.Next(256);
        return draw < Profile.MovesEarly ? ulong.MaxValue
            : draw < Profile.MovesEarly + Profile.MovesTorn ? _chance.Next()
            : 0;
    }

    private void Complete(Flight flight)
    {
        DeviceRequest request = flight.Request;
        IoResult result = Decide(flight);
        Completing?.Invoke(request, flight.Data);
        Move(flight, ~flight.MovedPattern, request.IsTransfer ? result.Bytes : 0);
        if (!request.IsTransfer)
        {
            Perform(flight, ref result);
        }
        else if (request.IsWrite)
        {
            bool isThrough = request.Operation == DeviceOperation.WriteThrough && !result.IsFailed;
            Stable?.Wrote(request, _completed, isThrough);
            Witness?.Wrote(request, flight.Data, isThrough);
        }

        _completed++;
        _scheduler.Trace.Note(TraceKind.Completion, (ulong)flight.Number, (ulong)result.Bytes | ((ulong)result.Fault << 56));
        Tell(flight, "completed", result.IsFailed ? string.Create(CultureInfo.InvariantCulture, $": {result.Fault} after {result.Bytes} bytes") : "");
        flight.Request = null!;
        _spare.Push(flight);
        request.Complete(result);
    }

    private IoResult Decide(Flight flight)
    {
        DeviceRequest request = flight.Request;
        if (FaultRule?.Invoke(flight.Number, request) is { } ruled)
        {
            Faults++;
            Failing?.Invoke(request, flight.Data, ruled.Fault);
            return ruled;
        }

        int faults = (request.Operation, flight.Data) switch
        {
            (DeviceOperation.Flush, _) => Profile.FlushFaults,
            (DeviceOperation.Read, DataOf.Direct or DataOf.Fill) => Profile.ReadFaults,
            (DeviceOperation.Read, DataOf.Metadata) => Profile.MetadataReadFaults,
            (DeviceOperation.Write or DeviceOperation.WriteThrough, DataOf.Direct or DataOf.Writeback) => Profile.WriteFaults,
            (DeviceOperation.Write or DeviceOperation.WriteThrough, DataOf.Metadata) => Profile.MetadataFaults,
            _ => 0,
        };
        if (faults == 0 || _chance.Next(1024) >= faults)
        {
            return IoResult.Transferred(request.Operation == DeviceOperation.Flush ? 0 : request.Length);
        }

        Faults++;
        IoFault fault = request.IsWrite && Profile.IsHostFull ? IoFault.NoSpace : IoFault.DeviceFailed;
        Failing?.Invoke(request, flight.Data, fault);
        long sectors = request.Length / Sector;
        long transferred = request.IsTransfer && _chance.OneIn(2) ? _chance.Next((int)sectors) * (long)Sector : 0;
        return new IoResult(transferred, fault);
    }

    /// <summary>Flushes, discards and zeroes. What is discarded may hold anything: it holds poison.</summary>
    private void Perform(Flight flight, ref IoResult result)
    {
        DeviceRequest request = flight.Request;
        switch (request.Operation)
        {
            case DeviceOperation.Flush:
                _isFlushBroken |= result.IsFailed;
                if (_isFlushBroken)
                {
                    result = IoResult.Failed(result.IsFailed ? result.Fault : IoFault.DeviceFailed);
                }
                else
                {
                    Stable?.Flushed(flight.CompletedBefore);
                    Witness?.Flushed(request);
                }

                break;
            case DeviceOperation.Discard:
            case DeviceOperation.WriteZeroes:
                Blank(request.Offset, request.Length, isPoison: request.Operation == DeviceOperation.Discard);
                Stable?.Wrote(request, _completed, isThrough: false);
                Witness?.Wrote(request, flight.Data, isThrough: false);
                break;
            default:
                break;
        }
    }

    private void Blank(long offset, long length, bool isPoison)
    {
        Span<byte> sector = stackalloc byte[Sector];
        sector.Clear();
        for (long at = offset; at < offset + length; at += Sector)
        {
            if (isPoison)
            {
                Tag.Poison(sector, at);
            }

            _content.Write(at, sector);
        }
    }

    /// <summary>Moves the sectors that the pattern names, of the first <paramref name="bytes"/> bytes.</summary>
    private void Move(Flight flight, ulong pattern, long bytes)
    {
        if (pattern == 0)
        {
            return;
        }

        DeviceRequest request = flight.Request;
        bool isRead = request.Operation == DeviceOperation.Read;
        long done = 0;
        foreach (IoSegment segment in request.Segments)
        {
            for (int at = 0; at < segment.Length && done < bytes;)
            {
                int length = pattern == ulong.MaxValue ? (int)Math.Min(segment.Length - at, bytes - done) : Sector;
                if (pattern == ulong.MaxValue || (pattern & (1UL << (int)((done / Sector) & 63))) != 0)
                {
                    Span<byte> piece = segment.Slice(at, length).Bytes;
                    if (isRead)
                    {
                        _content.Read(request.Offset + done, piece);
                    }
                    else
                    {
                        _content.Write(request.Offset + done, piece);
                    }
                }

                at += length;
                done += length;
            }
        }
    }

    private void Tell(Flight flight, string what, string end)
    {
        if (_scheduler.Trace.KeepsLines)
        {
            DeviceRequest request = flight.Request;
            string content = request.IsWrite && request.IsTransfer ? $" ({Tag.Describe(request.Segments[0].Bytes)})" : "";
            _scheduler.Trace.Tell(
                _scheduler.Steps,
                "device",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"request {flight.Number} {what}: {Word(flight)} {request.Offset / 1024.0:0.#} KiB + {request.Length}{content}{end}"));
        }
    }

    private static string Word(Flight flight) => flight.Request.IsTransfer
        ? $"{flight.Data} {flight.Request.Operation}".ToLowerInvariant()
        : flight.Request.Operation.ToString().ToLowerInvariant();
}
