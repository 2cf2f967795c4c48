using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>The protocol and a transport against the kernel, without a volume.</summary>
public abstract class TransportContract : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("penstock-null-").FullName;

    /// <summary>Whose threads read, if not the transport's own.</summary>
    private protected virtual BlockDevice? Host => null;

    private protected virtual bool ComesOverRing => false;

    public virtual void Dispose()
    {
        Directory.Delete(_directory);
        GC.SuppressFinalize(this);
    }

    [FuseFact]
    public Task The_kernel_reads_writes_and_lists_through_a_direct_mount() => Serve(new FuseMountOptions(), UseTheMount);

    [FuseFact(needsFusermount: true)]
    public Task The_kernel_reads_writes_and_lists_through_fusermount() =>
        Serve(new FuseMountOptions { UsesFusermount = true }, UseTheMount);

    [FuseFact]
    public Task A_direct_request_on_a_cached_file_says_so_and_skips_the_kernels_cache() => Serve(new FuseMountOptions(), handler =>
    {
        string file = Path.Combine(_directory, "file");
        Shell.Run($"dd if=/dev/zero of={file} bs=64K count=2 conv=notrunc status=none");
        Shell.Run($"cat {file} > /dev/null");
        handler.Log.Clear();
        Shell.Run($"dd if={file} of=/dev/null bs=4K count=2 iflag=direct status=none");
        Shell.Run($"dd if=/dev/urandom of={file} bs=8K count=1 oflag=direct conv=notrunc status=none");
        Shell.Run($"cat {file} > /dev/null");

        LinuxOpenFlags direct = LinuxOpenFlagsOfThisMachine.Direct;
        Assert.Equal(2, handler.Log.Count(entry => entry is { Call: "read", Size: 4096 } && (entry.Flags & direct) != 0));
        Assert.Single(handler.Log, entry => entry is { Call: "write", Size: 8192 } && (entry.Flags & direct) != 0);

        // The write dropped the kernel's pages: reading again asks us, without the flag.
        Assert.Contains(handler.Log, entry => entry.Call == "read" && (entry.Flags & direct) == 0);
    });

    [FuseFact]
    public Task An_error_of_fsync_reaches_the_program() => Serve(new FuseMountOptions(), _ =>
    {
        (int code, string output) = Shell.Try($"dd if=/dev/zero of={_directory}/file bs=4K count=1 conv=notrunc,fsync");

        Assert.NotEqual(0, code);
        Assert.Contains("Input/output error", output, StringComparison.Ordinal);
    });

    [FuseFact]
    public async Task A_busy_mount_is_not_torn_away()
    {
        using var server = new Server(_directory, new FuseMountOptions(), Host);
        await server.Session.Ready;
        using (File.OpenRead(Path.Combine(_directory, "file")))
        {
            Assert.False(server.MountPoint.TryDetach());
        }

        Assert.True(SpinWait.SpinUntil(server.MountPoint.TryDetach, TimeSpan.FromSeconds(20)));
        Assert.Equal(FuseEnd.Unmounted, await server.Session.Completion.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [FuseFact]
    public async Task A_foreign_unmount_ends_the_session()
    {
        using var server = new Server(_directory, new FuseMountOptions(), Host);
        await server.Session.Ready;
        Shell.Run($"umount {_directory}");

        Assert.Equal(FuseEnd.Unmounted, await server.Session.Completion.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [FuseFact]
    public Task An_invalidation_makes_the_kernel_ask_again() => Serve(new FuseMountOptions(), handler =>
    {
        Shell.Run($"cat {_directory}/file");
        handler.Log.Clear();
        Shell.Run($"cat {_directory}/file");
        int before = handler.Log.Count;
        _server!.Session.Notifier.InvalidateInode(NullHandler.FileNode, 0, 0);
        _server.Session.Notifier.WaitUntilSent();
        Shell.Run($"cat {_directory}/file");

        Assert.True(handler.Log.Count > before);
    });

    private Server? _server;

    private protected void UseTheMount(NullHandler handler)
    {
        Assert.Contains("fuse.penstock", File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
        Assert.Equal(["file"], Shell.Run($"ls {_directory}").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("hello", Shell.Run($"cat {_directory}/file"));
        using var aside = new ScratchFolder();
        string data = aside["data"];
        Shell.Run($"head -c 3000000 /dev/urandom > {data}; dd if={data} of={_directory}/file bs=1000000 status=none");
        Shell.Run($"cmp {data} {_directory}/file");
        Assert.Equal("3000000 1969-12-31 23:59:59.000000000 +0000\n", Shell.Run($"TZ=UTC stat -c '%s %y' {_directory}/file"));
        Assert.Contains(handler.Log, entry => entry is { Call: "write", Size: > 131072 });
        Assert.Equal(1, Shell.Try($"cat {_directory}/absent").Code);
        Assert.Equal("255\n", Shell.Run($"stat -f -c %l {_directory}"));
    }

    /// <param name="options">How it is mounted.</param>
    /// <param name="use">What is done with it.</param>
    /// <param name="beforeAnswer">Called when the kernel has made its offer and has no answer yet.</param>
    private protected async Task Serve(FuseMountOptions options, Action<NullHandler> use, Action? beforeAnswer = null)
    {
        using var server = _server = new Server(_directory, options, Host, beforeAnswer);
        FuseConnection connection = await server.Session.Ready.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(connection.Has(FuseInitFlags.AsyncDio | FuseInitFlags.InitExt));
        Assert.True(!ComesOverRing || connection.Has(FuseInitFlags.OverIoUring));
        try
        {
            // The test's own thread pool must not be needed by the server while the test blocks on the mount.
            await Task.Factory.StartNew(() => use(server.Handler), TaskCreationOptions.LongRunning);
            Assert.False(server.Session.Completion.IsCompleted, "the session ended before the mount did");
        }
        finally
        {
            Assert.True(SpinWait.SpinUntil(server.MountPoint.TryDetach, TimeSpan.FromSeconds(20)));
        }

        Assert.Equal(FuseEnd.Unmounted, await server.Session.Completion.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(0, server.Session.InFlight);
        Assert.Empty(server.Defects);
    }

    private sealed class Server : IDisposable
    {
        public Server(string directory, FuseMountOptions options, BlockDevice? host, Action? beforeAnswer = null)
        {
            var sessionOptions = new FuseSessionOptions { OnDefect = Defects.Add };
            MountPoint = MountPoint.Attach(directory, options, out SafeFileHandle device);
            var buffers = new WireBufferPool(sessionOptions.MaxWrite, sessionOptions.BufferLimit);
            var transport = new DeviceTransport(device, buffers, sessionOptions.MaxWrite, sessionOptions.Readers, host);
            Session = new FuseSession(transport, buffers, Handler, sessionOptions);
            beforeAnswer?.Invoke();
            Session.Start();
        }

        public List<Exception> Defects { get; } = [];

        public NullHandler Handler { get; } = new();

        public MountPoint MountPoint { get; }

        public FuseSession Session { get; }

        public void Dispose() => Session.Dispose();
    }
}

/// <summary>Threads of the transport's own, which block in read(2).</summary>
public sealed class BlockingReaderTests : TransportContract;

/// <summary>The thread of a ring of a device.</summary>
public class HostedReaderTests : TransportContract
{
    private readonly ScratchFolder _scratch = new();
    private readonly BlockDevice _device;

    public HostedReaderTests()
    {
        _device = DeviceOpener.OpenAsync(_scratch.MakeImage("host.img", 1 << 20), new DeviceOptions()).AsTask().GetAwaiter().GetResult();
        Assert.SkipUnless(_device is UringDevice, _device.Description);
    }

    private protected override BlockDevice? Host => _device;

    public override void Dispose()
    {
        base.Dispose();
        _device.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>FUSE over io_uring, switched on for the time being.</summary>
[Collection(RingSwitch.Users)]
public sealed class RingTransportTests : HostedReaderTests
{
    private readonly RingSwitch _switch;

    public RingTransportTests() => _switch = new RingSwitch();

    /// <summary>The kernel takes an offer back that it has no answer to yet, and then refuses what was got ready for it: the mount is served over /dev/fuse.</summary>
    [FuseFact]
    public Task A_switch_that_goes_off_between_offer_and_answer_does_no_harm() => Serve(new FuseMountOptions(), UseTheMount, _switch.TurnOff);

    private protected override bool ComesOverRing => true;

    public override void Dispose()
    {
        base.Dispose();
        _switch.Dispose();
    }
}
