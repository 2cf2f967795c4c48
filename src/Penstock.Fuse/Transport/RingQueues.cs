using System.Globalization;
using Penstock.Devices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Memory;
using Penstock.Uring;
using Errno = Penstock.Uring.Errno;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Requests and replies over io_uring, on a ring of the volume's device: one submission brings the reply to one request and asks for the next, in one batch
/// with what goes to the device. The kernel has a queue for each processor that could ever be there, and uses none before all of them have an entry;
/// FORGET, INTERRUPT and notifications stay with /dev/fuse.
/// </summary>
internal sealed class RingQueues : IRingGuest, IFuseReplier, IDisposable
{
    private readonly DeviceTransport _transport;
    private readonly IFuseRequestSink _sink;
    private readonly RingEntry[] _entries;
    private IRingHost? _host;
    private RingEntry? _replies;
    private bool _isRegistered;
    private volatile bool _isOpen;
    private volatile bool _isAbandoned;
    private int _alive;

    /// <param name="transport">The transport over /dev/fuse beside it.</param>
    /// <param name="sink">Who takes the requests.</param>
    /// <param name="queues">The queues that this loop serves.</param>
    /// <param name="depth">Requests of each queue at once.</param>
    /// <param name="payloadCapacity">The largest payload.</param>
    public RingQueues(DeviceTransport transport, IFuseRequestSink sink, IEnumerable<int> queues, int depth, int payloadCapacity)
    {
        _transport = transport;
        _sink = sink;
        _entries = [.. queues.SelectMany(queue => Enumerable.Repeat(queue, depth))
            .Select((queue, index) => new RingEntry((ushort)queue, (uint)index, payloadCapacity))];
        _alive = _entries.Length;
    }

    public int Descriptor => -1;

    public IoSegment Memory => default;

    public bool MayTakeIn => (_isOpen && !_isRegistered) || Volatile.Read(ref _replies) is not null || HasEnded;

    private bool HasEnded => _alive == 0 || _isAbandoned;

    /// <summary>Processors that could ever be there: the kernel has a queue for each.</summary>
    public static int CountQueues()
    {
        return CountProcessors(File.ReadAllText("/sys/devices/system/cpu/possible"));
    }

    /// <summary>How many processors a list such as "0-3,8" names.</summary>
    internal static int CountProcessors(string list)
    {
        int count = 0;
        foreach (string range in list.Trim().Split(','))
        {
            int[] ends = [.. range.Split('-').Select(end => int.Parse(end, CultureInfo.InvariantCulture))];
            count += ends[^1] - ends[0] + 1;
        }

        return count;
    }

    public void Seated(IRingHost host) => _host = host;

    /// <summary>INIT was answered: the kernel may be given the entries, and holds its requests back until it has them.</summary>
    public void Open()
    {
        _isOpen = true;
        _host!.Wake();
    }

    /// <summary>It was not agreed on after all: ends without having begun.</summary>
    public void Abandon()
    {
        _isAbandoned = true;
        _host!.Wake();
    }

    /// <summary>Registers the entries, once; then submits the replies that other threads have left.</summary>
    public GuestState TakeIn()
    {
        if (_isOpen && !_isRegistered)
        {
            _isRegistered = true;
            foreach (RingEntry entry in _entries)
            {
                Register(entry);
            }
        }

        for (RingEntry? entry = Interlocked.Exchange(ref _replies, null); entry is not null;)
        {
            RingEntry? next = entry.Link;
            Commit(entry);
            entry = next;
        }

        return HasEnded ? GuestState.Ended : GuestState.Busy;
    }

    /// <summary>A command has completed: a request is there, or the connection has ended and the entry with it.</summary>
    public void Completed(uint command, CallResult result)
    {
        RingEntry entry = _entries[command];
        if (result.IsError)
        {
            Failed(entry, result.Error);
            return;
        }

        entry.Arrived();
        FuseRequest request = _sink.RentRequest();
        request.Receive(this, entry);
        _sink.Dispatch(request);
    }

    public void Reply(FuseRequest request, int error)
    {
        RingEntry entry = request.SealEntry(error);
        if (_host!.IsHere)
        {
            Commit(entry);
            return;
        }

        RingEntry? seen = Volatile.Read(ref _replies);
        while (true)
        {
            entry.Link = seen;
            RingEntry? found = Interlocked.CompareExchange(ref _replies, entry, seen);
            if (ReferenceEquals(found, seen))
            {
                break;
            }

            seen = found;
        }

        _host.Wake();
    }

    public void Left() => _transport.RingEnded();

    public void Dispose()
    {
        foreach (RingEntry entry in _entries)
        {
            entry.Dispose();
        }
    }

    /// <summary>The entry was refused, or has ended with the connection.</summary>
    private void Failed(RingEntry entry, Errno error)
    {
        if (!entry.HasServed && error is Errno.EAGAIN or Errno.EINTR)
        {
            Register(entry);
            return;
        }

        _alive--;
        if (!entry.HasServed && error is not (Errno.ENOTCONN or Errno.ECONNABORTED))
        {
            _transport.RingRefused();
        }
    }

    private void Register(RingEntry entry) =>
        entry.PrepareRegister(_host!.TakeCommand(entry.Index, out ulong userData), _transport.Descriptor, userData);

    private void Commit(RingEntry entry) =>
        entry.PrepareCommit(_host!.TakeCommand(entry.Index, out ulong userData), _transport.Descriptor, userData);
}
