namespace Penstock.Devices.Rings;

/// <summary>A first-in, first-out queue of requests, linked through themselves. One thread.</summary>
internal sealed class RequestQueue
{
    private DeviceRequest? _first;
    private DeviceRequest? _last;

    public bool IsEmpty => _first is null;

    public void Enqueue(DeviceRequest request)
    {
        request.Link = null;
        if (_last is null)
        {
            _first = request;
        }
        else
        {
            _last.Link = request;
        }

        _last = request;
    }

    public DeviceRequest? Peek() => _first;

    public DeviceRequest? Dequeue()
    {
        DeviceRequest? request = _first;
        if (request is not null)
        {
            _first = request.Link;
            request.Link = null;
            if (_first is null)
            {
                _last = null;
            }
        }

        return request;
    }
}
