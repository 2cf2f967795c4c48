namespace Penstock.Devices.Rings;

/// <summary>
/// Requests on their way from any thread to the one that owns the ring. Arrivals are pushed one by one and taken all at once, so no
/// request is ever unlinked while another thread looks at it (no ABA), and nothing is allocated.
/// </summary>
internal sealed class ArrivalStack
{
    private DeviceRequest? _newest;

    public bool IsEmpty => Volatile.Read(ref _newest) is null;

    /// <summary>Any thread.</summary>
    public void Push(DeviceRequest request)
    {
        DeviceRequest? seen = Volatile.Read(ref _newest);
        while (true)
        {
            request.Link = seen;
            DeviceRequest? found = Interlocked.CompareExchange(ref _newest, request, seen);
            if (ReferenceEquals(found, seen))
            {
                return;
            }

            seen = found;
        }
    }

    /// <summary>Owner's thread: takes everything and appends it to <paramref name="queue"/> in the order of arrival.</summary>
    public void MoveTo(RequestQueue queue)
    {
        DeviceRequest? newest = Interlocked.Exchange(ref _newest, null);
        DeviceRequest? oldest = null;
        while (newest is not null)
        {
            DeviceRequest? next = newest.Link;
            newest.Link = oldest;
            oldest = newest;
            newest = next;
        }

        while (oldest is not null)
        {
            DeviceRequest? next = oldest.Link;
            queue.Enqueue(oldest);
            oldest = next;
        }
    }
}
