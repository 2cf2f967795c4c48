using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;

namespace Penstock.Bench.Bare;

/// <summary>
/// A FUSE server that does nothing: what the transport alone can carry. Over /dev/fuse it is two threads that read and answer, with nothing of ours
/// between; over io_uring our own transport carries a handler that answers zeros.
/// </summary>
internal static class BareServer
{
    private const int Largest = 1 << 20;

    public static async Task<int> RunAsync(string folder, string? image)
    {
        MountPoint.Attach(folder, new FuseMountOptions { Source = "zeros", Subtype = "bare" }, out SafeFileHandle device);
        if (image is null)
        {
            using (device)
            {
                Thread[] threads = [.. Enumerable.Range(0, 2).Select(_ => new Thread(new BareLoop(device, Largest).Run))];
                Array.ForEach(threads, t => t.Start());
                Array.ForEach(threads, t => t.Join());
            }

            return 0;
        }

        await using BlockDevice host = await DeviceOpener.OpenAsync(image, new DeviceOptions { IsReadOnly = true });
        var options = new FuseSessionOptions();
        var buffers = new WireBufferPool(Largest, options.BufferLimit);
        using var session = new FuseSession(new DeviceTransport(device, buffers, Largest, Math.Max(1, Environment.ProcessorCount / 2), host), buffers, new ZeroHandler(), options);
        session.Start();
        FuseConnection agreed = await session.Ready;
        if (!agreed.Has(FuseInitFlags.OverIoUring))
        {
            Console.Error.WriteLine("bare: the kernel offers no FUSE over io_uring");
        }

        await session.Completion;
        return 0;
    }
}
