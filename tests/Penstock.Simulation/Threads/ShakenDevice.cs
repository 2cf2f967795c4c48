using System.Runtime.InteropServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Threads;

/// <summary>
/// A device in memory with threads of its own, which take its requests in any order, some of them late, and move some in two halves with a pause between them: races
/// that a device which answers at once would never show.
/// </summary>
internal sealed unsafe class ShakenDevice : BlockDevice
{
    /// <summary>Its unit, and the alignment of memory that it asks for, in bytes.</summary>
    public const int Sector = 512;

    private const int Threads = 2;
    private const int MostDelays = 40;

    private readonly object _latch = new();
    private readonly List<DeviceRequest> _waiting = [];
    private readonly DeviceProfile _profile;
    private readonly byte* _memory;
    private int _taken;
    private bool _isClosed;

    public ShakenDevice(Scheduler scheduler, long length, DeviceProfile profile, ulong seed)
        : base("shaken", scheduler)
    {
        Length = length;
        _profile = profile;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)length, 4096);
        for (int i = 0; i < Threads; i++)
        {
            var chance = new Chance(Chance.Mix(seed, (ulong)i));
            new Thread(() => Serve(chance)) { IsBackground = true, Name = $"shaken-device-{i}" }.Start();
        }
    }

    public override string Description => "memory, served in any order";

    public override long Length { get; }

    public override int LogicalBlockSize => Sector;

    public override int PhysicalBlockSize => Sector;

    public override int MemoryAlignment => Sector;

    public override bool IsReadOnly => false;

    public override bool CanDiscard => true;

    /// <summary>Ends the threads. Nothing is in flight.</summary>
    public override ValueTask DisposeAsync()
    {
        lock (_latch)
        {
            if (_taken + _waiting.Count > 0)
            {
                throw new InvalidOperationException("The device is closed while it has requests in flight.");
            }

            _isClosed = true;
            Monitor.PulseAll(_latch);
        }

        NativeMemory.AlignedFree(_memory);
        return ValueTask.CompletedTask;
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        lock (_latch)
        {
            _waiting.Add(request);
            Monitor.Pulse(_latch);
        }
    }

    private void Serve(Chance chance)
    {
        while (Take(chance) is { } request)
        {
            for (int delays = 0; delays < MostDelays && chance.Next(256) < _profile.SlowRequests * 2; delays++)
            {
                Thread.Yield();
            }

            bool isTorn = chance.Next(256) < _profile.MovesTorn;
            if (!request.IsTransfer)
            {
                Perform(request);
            }
            else if (isTorn)
            {
                long half = request.Length / 2 & -Sector;
                Move(request, half, request.Length);
                Thread.Yield();
                Move(request, 0, half);
            }
            else
            {
                Move(request, 0, request.Length);
            }

            lock (_latch)
            {
                _taken--;
            }

            Scheduler.Post(
                static state =>
                {
                    var done = (DeviceRequest)state!;
                    done.Complete(IoResult.Transferred(done.Operation == DeviceOperation.Flush ? 0 : done.Length));
                },
                request);
        }
    }

    private DeviceRequest? Take(Chance chance)
    {
        lock (_latch)
        {
            while (_waiting.Count == 0)
            {
                if (_isClosed)
                {
                    return null;
                }

                Monitor.Wait(_latch);
            }

            int index = chance.Next(_waiting.Count);
            DeviceRequest request = _waiting[index];
            _waiting.RemoveAt(index);
            _taken++;
            return request;
        }
    }

    private void Perform(DeviceRequest request)
    {
        var range = new Span<byte>(_memory + request.Offset, (int)request.Length);
        switch (request.Operation)
        {
            case DeviceOperation.Discard:
                Tag.Poison(range, request.Offset);
                break;
            case DeviceOperation.WriteZeroes:
                range.Clear();
                break;
            default:
                break;
        }
    }

    /// <summary>Moves the request's bytes from one to another.</summary>
    private void Move(DeviceRequest request, long start, long end)
    {
        long done = 0;
        foreach (IoSegment segment in request.Segments)
        {
            int first = (int)Math.Clamp(start - done, 0, segment.Length);
            int last = (int)Math.Clamp(end - done, 0, segment.Length);
            Span<byte> piece = segment.Bytes[first..last];
            var place = new Span<byte>(_memory + request.Offset + done + first, piece.Length);
            if (request.Operation == DeviceOperation.Read)
            {
                place.CopyTo(piece);
            }
            else
            {
                piece.CopyTo(place);
            }

            done += segment.Length;
        }
    }
}
