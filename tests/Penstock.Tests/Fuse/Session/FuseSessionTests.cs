using System.Runtime.InteropServices;
using CsCheck;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;
using Xunit;
using static Penstock.Tests.Fuse.Session.ScriptedTransport;

namespace Penstock.Tests.Fuse.Session;

public sealed class FuseSessionTests : IDisposable
{
    private readonly WireBufferPool _buffers = new(1024 * 1024, 64L * 1024 * 1024);
    private readonly ScriptedTransport _kernel;
    private readonly Recorder _handler = new();
    private readonly FuseSession _session;
    private readonly List<Exception> _defects = [];

    public FuseSessionTests()
    {
        _kernel = new ScriptedTransport(_buffers);
        _session = new FuseSession(_kernel, _buffers, _handler, new FuseSessionOptions { OnDefect = _defects.Add });
        _session.Start();
        _kernel.Initialize();
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public async Task The_handshake_is_answered_before_more_readers_start()
    {
        FuseConnection connection = await _session.Ready;

        Assert.Equal(45u, connection.Minor);
        Assert.True(_kernel.IsWidened);
        Assert.Same(connection, _handler.Connection);
    }

    [Fact]
    public void A_name_reaches_the_handler_and_its_entry_the_kernel()
    {
        _kernel.Deliver(Request(FuseOpcode.Lookup, 2, 1, "hello\0"u8));

        (int error, ulong unique, byte[] body) = Assert.Single(_kernel.Replies);
        Assert.Equal(0, error);
        Assert.Equal(2u, unique);
        Assert.Equal(5u, MemoryMarshal.Read<FuseEntryOut>(body).NodeId);
        Assert.Equal(128, body.Length);
    }

    [Fact]
    public void A_payload_follows_without_a_structure()
    {
        _kernel.Deliver(Request(FuseOpcode.Read, 2, 1, Bytes(new FuseReadIn { Size = 5000 })));

        byte[] body = Assert.Single(_kernel.Replies).Body;
        Assert.Equal(4999, body.Length);
        Assert.All(body, value => Assert.Equal(0x5a, value));
    }

    [Fact]
    public void The_data_of_a_write_lies_on_a_page()
    {
        _kernel.Deliver(Request(FuseOpcode.Write, 2, 1, Bytes(new FuseWriteIn { Size = 3 }, "abc"u8)));

        Assert.Equal(3u, MemoryMarshal.Read<FuseWriteOut>(Assert.Single(_kernel.Replies).Body).Size);
        Assert.Equal(0, _handler.LastAddress % 4096);
        Assert.Equal("abc", _handler.LastData);
    }

    [Fact]
    public void A_fault_becomes_its_errno_and_carries_nothing_else()
    {
        _handler.Throws = new FileSystemException(IoFault.NoSpace);
        _kernel.Deliver(Request(FuseOpcode.Lookup, 2, 1, "hello\0"u8));

        (int error, _, byte[] body) = Assert.Single(_kernel.Replies);
        Assert.Equal(28, error);
        Assert.Empty(body);
        Assert.Empty(_defects);
    }

    [Fact]
    public void An_unforeseen_exception_becomes_EIO_and_is_told()
    {
        _handler.Throws = new InvalidOperationException("a defect");
        _kernel.Deliver(Request(FuseOpcode.Lookup, 2, 1, "hello\0"u8));

        Assert.Equal(5, Assert.Single(_kernel.Replies).Error);
        Assert.Single(_defects);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public void A_request_without_space_is_run_again_once_if_room_was_made(bool isMade, int calls)
    {
        _handler.Throws = new FileSystemException(IoFault.NoSpace);
        _handler.MakesRoom = isMade;
        _kernel.Deliver(Request(FuseOpcode.Lookup, 2, 1, "hello\0"u8));

        Assert.Equal(28, Assert.Single(_kernel.Replies).Error);
        Assert.Equal(calls, _handler.Calls);
        Assert.Equal(0, _session.InFlight);

        // A request object that is used again has its second chance again.
        _kernel.Deliver(Request(FuseOpcode.Lookup, 3, 1, "hello\0"u8));
        Assert.Equal(2 * calls, _handler.Calls);
    }

    [Fact]
    public void An_opcode_without_a_row_is_ENOSYS()
    {
        _kernel.Deliver(Request(FuseOpcode.Poll, 2, 1, new byte[24]));
        _kernel.Deliver(Request((FuseOpcode)4_000_000_000, 3, 1, []));

        Assert.All(_kernel.Replies, reply => Assert.Equal(38, reply.Error));
        Assert.Equal(2, _kernel.Replies.Count);
    }

    [Fact]
    public void Forgets_are_counted_and_never_answered()
    {
        var batch = new byte[8 + 32];
        MemoryMarshal.Write(batch, new FuseBatchForgetIn { Count = uint.MaxValue });
        MemoryMarshal.Write(batch.AsSpan(8), new FuseForgetOne { NodeId = 8, Lookups = 1 });
        MemoryMarshal.Write(batch.AsSpan(24), new FuseForgetOne { NodeId = 9, Lookups = 2 });

        _kernel.Deliver(Request(FuseOpcode.Forget, 2, 7, Bytes(new FuseForgetIn { Lookups = 3 })));
        _kernel.Deliver(Request(FuseOpcode.BatchForget, 3, 0, batch));

        Assert.Empty(_kernel.Replies);
        Assert.Equal([(7u, 3u), (8u, 1u), (9u, 2u)], _handler.Forgotten);
    }

    [Fact]
    public void A_malformed_request_is_refused_before_the_handler_sees_it()
    {
        _kernel.Deliver(Request(FuseOpcode.Lookup, 2, 1, "no zero"u8));
        _kernel.Deliver(Request(FuseOpcode.Lookup, 3, 1, "\0"u8));
        _kernel.Deliver(Request(FuseOpcode.Read, 4, 1, new byte[39]));
        _kernel.Deliver(Request(FuseOpcode.SymLink, 5, 1, "one\0two"u8));
        _kernel.Deliver(Request(FuseOpcode.Write, 6, 1, Bytes(new FuseWriteIn { Size = 4 }, "abc"u8)));
        _kernel.Deliver(Request(FuseOpcode.SetXAttr, 7, 1, Bytes(new FuseSetXAttrIn { Size = 4 }, "n\0abc"u8)));
        _kernel.Deliver(Request(FuseOpcode.Lookup, 8, 1, "hello\0"u8, extensionUnits: 9));

        Assert.Equal(7, _kernel.Replies.Count);
        Assert.All(_kernel.Replies, reply => Assert.Equal(22, reply.Error));
        Assert.Equal(0, _handler.Calls);
    }

    [Fact]
    public void Any_bytes_are_answered_once_and_never_crash()
    {
        Gen.Select(Gen.UInt[0, 60], Gen.Byte.Array[0, 200], Gen.UShort[0, 30]).Sample(
            (opcode, body, extension) =>
            {
                // Those that are not answered, and the one that waits here for an interrupt.
                if ((FuseOpcode)opcode is FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.Interrupt or FuseOpcode.FAllocate)
                {
                    return;
                }

                _kernel.Replies.Clear();
                _kernel.Deliver(Request((FuseOpcode)opcode, 99, 1, body, extension));
                Assert.Equal(99u, Assert.Single(_kernel.Replies).Unique);
            },
            threads: 1,
            iter: 2000);
        _kernel.Deliver(new byte[7]);
        Assert.Empty(_defects);
        Assert.Equal(0, _session.InFlight);
        Assert.Equal(0, _buffers.Used);
    }

    [Fact]
    public void A_waiting_request_is_answered_when_its_task_completes()
    {
        _handler.Wait = new TaskCompletionSource<Errno>();
        _kernel.Deliver(Request(FuseOpcode.FSync, 2, 1, Bytes(default(FuseFSyncIn))));
        Assert.Empty(_kernel.Replies);
        Assert.Equal(1, _session.InFlight);

        _handler.Wait.SetException(new FileSystemException(IoFault.DeviceFailed));

        Assert.True(SpinWait.SpinUntil(() => !_kernel.Replies.IsEmpty, TimeSpan.FromSeconds(20)));
        Assert.Equal(5, Assert.Single(_kernel.Replies).Error);
        Assert.True(SpinWait.SpinUntil(() => _session.InFlight == 0, TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public void An_interrupt_cancels_the_request_it_names_and_is_not_answered()
    {
        _kernel.Deliver(Request(FuseOpcode.FAllocate, 20, 1, Bytes(default(FuseFAllocateIn))));
        _kernel.Deliver(Request(FuseOpcode.Interrupt, 21, 1, Bytes(new FuseInterruptIn { Unique = 20 })));

        Assert.True(SpinWait.SpinUntil(() => !_kernel.Replies.IsEmpty, TimeSpan.FromSeconds(20)));
        (int error, ulong unique, _) = Assert.Single(_kernel.Replies);
        Assert.Equal(4, error);
        Assert.Equal(20u, unique);
    }

    [Fact]
    public void An_interrupt_that_overtook_its_request_is_asked_for_again()
    {
        _kernel.Deliver(Request(FuseOpcode.Interrupt, 21, 1, Bytes(new FuseInterruptIn { Unique = 20 })));

        Assert.Equal((11, 21UL), (_kernel.Replies.Single().Error, _kernel.Replies.Single().Unique));
    }

    [Fact]
    public async Task The_session_ends_only_when_the_last_request_is_answered()
    {
        _handler.Wait = new TaskCompletionSource<Errno>();
        _kernel.Deliver(Request(FuseOpcode.FSync, 2, 1, Bytes(default(FuseFSyncIn))));
        _kernel.End(FuseEnd.Unmounted);
        Assert.False(_session.Completion.IsCompleted);

        _handler.Wait.SetResult(Errno.None);

        Assert.Equal(FuseEnd.Unmounted, await _session.Completion);
        Assert.Single(_kernel.Replies);
    }

    [Fact]
    public void A_supplementary_group_is_found_in_the_extension()
    {
        byte[] extension = [16, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 0xe8, 3, 0, 0];
        _kernel.Deliver(Request(FuseOpcode.MkDir, 2, 1, [.. Bytes(default(FuseMkDirIn), "dir\0"u8), .. extension], extensionUnits: 2));

        Assert.True(_handler.HasGroup1000);
        Assert.False(_handler.HasGroup1001);
        Assert.Equal("dir", _handler.LastData);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_request_once_the_pools_are_warm()
    {
        byte[] read = Request(FuseOpcode.Read, 2, 1, Bytes(new FuseReadIn { Size = 4096 }));
        byte[] lookup = Request(FuseOpcode.Lookup, 2, 1, "hello\0"u8);
        _kernel.KeepsReplies = false;
        for (int i = 0; i < 100; i++)
        {
            _kernel.Deliver(read);
            _kernel.Deliver(lookup);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            _kernel.Deliver(read);
            _kernel.Deliver(lookup);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(_kernel.Count > 2000);
    }

    [Fact]
    public void Notifications_are_sent_by_a_thread_of_their_own_in_order()
    {
        _session.Notifier.InvalidateInode(7, 4096, 8192);
        _session.Notifier.InvalidateEntry(1, "name"u8);
        _session.Notifier.Delete(1, 7, "name"u8);
        _session.Notifier.WaitUntilSent();

        byte[][] sent = [.. _kernel.Notifications];
        Assert.Equal([40, 37, 45], sent.Select(message => message.Length));
        Assert.Equal([2, 3, 6], sent.Select(message => MemoryMarshal.Read<FuseOutHeader>(message).Error));
        Assert.All(sent, message => Assert.Equal(0u, MemoryMarshal.Read<FuseOutHeader>(message).Unique));
        Assert.Equal(8192, MemoryMarshal.Read<FuseNotifyInvalidateInode>(sent[0].AsSpan(16)).Length);
        Assert.Equal("name\0"u8, sent[2].AsSpan(40));
    }

    private sealed class Recorder : FuseHandler
    {
        public FuseConnection? Connection { get; private set; }

        public List<(ulong Node, ulong Lookups)> Forgotten { get; } = [];

        public Exception? Throws { get; set; }

        public TaskCompletionSource<Errno>? Wait { get; set; }

        public int Calls { get; private set; }

        public long LastAddress { get; private set; }

        public string? LastData { get; private set; }

        public bool HasGroup1000 { get; private set; }

        public bool HasGroup1001 { get; private set; }

        public override void Initialized(FuseConnection connection) => Connection = connection;

        public bool MakesRoom { get; set; }

        public override ValueTask<bool> MakeRoomAsync() => new(MakesRoom);

        public override void Forget(ulong node, ulong lookups) => Forgotten.Add((node, lookups));

        public override ValueTask<Errno> LookupAsync(FuseRequest request)
        {
            Calls++;
            return Throws is null ? new(request.Reply(new FuseEntryOut { NodeId = (ulong)request.Name.Length })) : throw Throws;
        }

        public override ValueTask<Errno> MkDirAsync(FuseRequest request)
        {
            LastData = System.Text.Encoding.UTF8.GetString(request.Name);
            HasGroup1000 = request.HasSupplementaryGroup(1000);
            HasGroup1001 = request.HasSupplementaryGroup(1001);
            return new(Errno.None);
        }

        public override ValueTask<Errno> ReadAsync(FuseRequest request)
        {
            int size = (int)Math.Min(request.Arguments<FuseReadIn>().Size, 1024 * 1024);
            request.RentPayload(size).Span.Fill(0x5a);
            return new(request.ReplyPayload(Math.Max(0, size - 1)));
        }

        public override unsafe ValueTask<Errno> WriteAsync(FuseRequest request)
        {
            Calls++;
            Memory<byte> data = request.WriteData;
            using var pin = data.Pin();
            LastAddress = (long)pin.Pointer;
            LastData = System.Text.Encoding.UTF8.GetString(data.Span);
            return new(request.Reply(new FuseWriteOut { Size = (uint)data.Length }));
        }

        public override async ValueTask<Errno> FSyncAsync(FuseRequest request) => Wait is null ? Errno.None : await Wait.Task;

        public override async ValueTask<Errno> FAllocateAsync(FuseRequest request)
        {
            await Task.Delay(Timeout.Infinite, request.Cancellation);
            return Errno.None;
        }
    }
}
