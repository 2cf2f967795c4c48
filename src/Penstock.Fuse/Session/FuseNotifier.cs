using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Transport;

namespace Penstock.Fuse.Session;

/// <summary>
/// Tells the kernel what to forget. Sending can block until a page is unlocked, and that page may wait for a reply of ours: so a
/// notification is only queued by its caller, and a thread of its own, holding no lock, sends it.
/// </summary>
internal sealed class FuseNotifier(FuseTransport transport) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly object _lock = new();
    private readonly Queue<Notification> _queue = new();
    private bool _isStarted;
    private bool _isSending;
    private bool _isDisposed;

    /// <summary>Drops cached data and attributes of a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="offset">First byte to drop; negative drops the attributes only.</param>
    /// <param name="length">Bytes to drop; 0 is to the end.</param>
    public void InvalidateInode(ulong node, long offset, long length) =>
        Enqueue(new Notification(FuseNotifyCode.InvalidateInode, node, 0, offset, length, null));

    /// <summary>
    /// The same; completes when the kernel has done it, which can take as long as an answer of ours: whoever awaits it holds no lock. After a second it
    /// completes all the same, in case the kernel waits for what the caller has not answered; the notification goes out whatever becomes of that.
    /// </summary>
    public ValueTask InvalidateInodeAsync(ulong node, long offset, long length) => InvalidateInodeAsync(node, offset, length, s_patience);

    /// <summary>The same, with as much patience as <paramref name="patience"/>.</summary>
    public async ValueTask InvalidateInodeAsync(ulong node, long offset, long length, TimeSpan patience)
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(new Notification(FuseNotifyCode.InvalidateInode, node, 0, offset, length, null) { Sent = sent });
        try
        {
            await sent.Task.WaitAsync(patience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
        }
    }

    /// <summary>Drops a cached name, or the cached knowledge that it does not exist.</summary>
    public void InvalidateEntry(ulong parent, ReadOnlySpan<byte> name) =>
        Enqueue(new Notification(FuseNotifyCode.InvalidateEntry, parent, 0, 0, 0, name.ToArray()));

    /// <summary>Says that a name was removed: its watchers hear of it too.</summary>
    public void Delete(ulong parent, ulong child, ReadOnlySpan<byte> name) =>
        Enqueue(new Notification(FuseNotifyCode.Delete, parent, child, 0, 0, name.ToArray()));

    /// <summary>Completes when everything queued before was sent. For tests, and for callers outside any handler.</summary>
    public void WaitUntilSent()
    {
        lock (_lock)
        {
            while ((_queue.Count > 0 || _isSending) && !_isDisposed)
            {
                Monitor.Wait(_lock);
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            foreach (Notification unsent in _queue)
            {
                unsent.Sent?.SetResult();
            }

            _queue.Clear();
            Monitor.PulseAll(_lock);

            // The transport may be closed only when no send is on its way.
            while (_isSending)
            {
                Monitor.Wait(_lock);
            }
        }
    }

    /// <summary>The bytes of a notification.</summary>
    internal static int Encode(in Notification notification, Span<byte> destination)
    {
        Span<byte> body = destination[Marshal.SizeOf<FuseOutHeader>()..];
        ReadOnlySpan<byte> name = notification.Name;
        int length;
        switch (notification.Code)
        {
            case FuseNotifyCode.InvalidateInode:
                var inode = new FuseNotifyInvalidateInode
                {
                    Inode = notification.Node, Offset = notification.Offset, Length = notification.Length,
                };
                length = Put(body, inode);
                break;
            case FuseNotifyCode.InvalidateEntry:
                length = Put(body, new FuseNotifyInvalidateEntry { Parent = notification.Node, NameLength = (uint)name.Length });
                break;
            default:
                var delete = new FuseNotifyDelete
                {
                    Parent = notification.Node, Child = notification.Child, NameLength = (uint)name.Length,
                };
                length = Put(body, delete);
                break;
        }

        if (notification.Name is not null)
        {
            name.CopyTo(body[length..]);
            body[length + name.Length] = 0;
            length += name.Length + 1;
        }

        length += Marshal.SizeOf<FuseOutHeader>();
        MemoryMarshal.Write(destination, new FuseOutHeader { Length = (uint)length, Error = (int)notification.Code, Unique = 0 });
        return length;
    }

    private static int Put<T>(Span<byte> body, in T message)
        where T : unmanaged
    {
        MemoryMarshal.Write(body, in message);
        return Marshal.SizeOf<T>();
    }

    private void Enqueue(in Notification notification)
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                notification.Sent?.SetResult();
                return;
            }

            if (!_isStarted)
            {
                _isStarted = true;
                new Thread(Send, maxStackSize: 256 * 1024) { IsBackground = true, Name = "penstock-fuse-notify" }.Start();
            }

            _queue.Enqueue(notification);
            Monitor.PulseAll(_lock);
        }
    }

    private void Send()
    {
        Span<byte> message = stackalloc byte[512];
        while (true)
        {
            Notification next;
            lock (_lock)
            {
                _isSending = false;
                Monitor.PulseAll(_lock);
                while (_queue.Count == 0)
                {
                    if (_isDisposed)
                    {
                        return;
                    }

                    Monitor.Wait(_lock);
                }

                next = _queue.Dequeue();
                _isSending = true;
            }

            // ENOENT says that the kernel does not know the node or the name: there was nothing to forget.
            transport.Notify(message[..Encode(next, message)]);
            next.Sent?.SetResult();
        }
    }

    /// <summary>One message in the queue.</summary>
    internal readonly record struct Notification(
        FuseNotifyCode Code, ulong Node, ulong Child, long Offset, long Length, byte[]? Name)
    {
        /// <summary>Completed once it is sent, if somebody waits for that.</summary>
        public TaskCompletionSource? Sent { get; init; }
    }
}
