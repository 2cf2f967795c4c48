using System.Diagnostics;
using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Uring;

public sealed unsafe class RingTest : IDisposable
{
    private readonly Ring _ring = StartRing(8);
    private readonly TemporaryFile _file = new(1 << 20);
    private readonly AlignedBuffer _memory = new(64 << 10);

    [Fact]
    public void A_completion_carries_the_user_data_of_its_submission()
    {
        Assert.True(_ring.TryTake(out Submission submission));
        submission.PrepareNop(0xFEDC_BA98_7654_3210);
        Assert.Equal(1, _ring.PreparedCount);
        Completion completion = RunOne();
        Assert.Equal(0xFEDC_BA98_7654_3210, completion.UserData);
        Assert.Equal(0, completion.Result.Value);
        Assert.Equal(0, _ring.PreparedCount);
    }

    [Fact]
    public void A_full_queue_gives_no_entry_until_it_is_submitted()
    {
        for (int i = 0; i < _ring.Capacity; i++)
        {
            Assert.True(_ring.TryTake(out Submission submission));
            submission.PrepareNop((ulong)i);
        }

        Assert.False(_ring.TryTake(out _));
        Assert.Equal(_ring.Capacity, _ring.SubmitAndWait((uint)_ring.Capacity).Value);
        ulong expected = 0;
        foreach (Completion completion in _ring.Completions)
        {
            Assert.Equal(expected++, completion.UserData);
        }

        Assert.Equal((ulong)_ring.Capacity, expected);
        Assert.True(_ring.TryTake(out Submission again));
        again.PrepareNop(1);
        Assert.Equal(1ul, RunOne().UserData);
    }

    [Fact]
    public void Positions_wrap_around_many_times()
    {
        for (ulong i = 0; i < 1000; i++)
        {
            Assert.True(_ring.TryTake(out Submission submission));
            submission.PrepareNop(i);
            Assert.Equal(i, RunOne().UserData);
        }
    }

    [Fact]
    public void More_completions_than_fit_are_kept_by_the_kernel_and_none_is_lost()
    {
        int total = _ring.CompletionCapacity * 4;
        for (int i = 0; i < total; i++)
        {
            if (!_ring.TryTake(out Submission submission))
            {
                Assert.Equal(_ring.Capacity, _ring.Submit().Value);
                Assert.True(_ring.TryTake(out submission));
            }

            submission.PrepareNop((ulong)i);
        }

        var seen = new HashSet<ulong>();
        while (seen.Count < total)
        {
            Assert.False(_ring.SubmitAndWait(1).IsError);
            foreach (Completion completion in _ring.Completions)
            {
                Assert.True(seen.Add(completion.UserData));
            }
        }
    }

    [Fact]
    public void What_is_written_directly_is_read_back()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite | HostOpenFlags.Direct);
        _memory.Memory.Span[..8192].Fill(0x5A);
        Assert.True(_ring.TryTake(out Submission write));
        write.PrepareWrite(file.Descriptor, _memory.Segment.Address, 8192, 4096, 1, TransferFlags.DataSync);
        Assert.Equal(8192, RunOne().Result.Value);

        _memory.Memory.Span.Clear();
        Assert.True(_ring.TryTake(out Submission read));
        read.PrepareRead(file.Descriptor, _memory.Segment.Address, 16384, 0, 2);
        Assert.Equal(16384, RunOne().Result.Value);
        Assert.Equal(-1, _memory.Memory.Span[..4096].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, _memory.Memory.Span[4096..12288].IndexOfAnyExcept((byte)0x5A));
        Assert.Equal(-1, _memory.Memory.Span[12288..16384].IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Registered_files_and_buffers_are_named_by_index()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite | HostOpenFlags.Direct);
        Assert.Equal(Errno.None, _ring.RegisterFiles([file.Descriptor]));
        Assert.Equal(Errno.None, _ring.RegisterBufferTable(1));
        Assert.Equal(Errno.None, _ring.UpdateBuffer(0, new IoVector(_memory.Segment.Address, _memory.Length)));

        _memory.Memory.Span[8192..12288].Fill(0x77);
        Assert.True(_ring.TryTake(out Submission write));
        write.PrepareWriteFixed(0, _memory.Segment.Address + 8192, 4096, 0, 0, 1);
        write.AddFlags(SubmissionFlags.FixedFile);
        Assert.Equal(4096, RunOne().Result.Value);

        Assert.True(_ring.TryTake(out Submission read));
        read.PrepareReadFixed(0, _memory.Segment.Address + 16384, 4096, 0, 0, 2);
        read.AddFlags(SubmissionFlags.FixedFile);
        Assert.Equal(4096, RunOne().Result.Value);
        Assert.Equal(-1, _memory.Memory.Span[16384..20480].IndexOfAnyExcept((byte)0x77));
    }

    [Fact]
    public void Memory_outside_the_registered_buffer_is_refused()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite);
        Assert.Equal(Errno.None, _ring.RegisterBufferTable(1));
        Assert.Equal(Errno.None, _ring.UpdateBuffer(0, new IoVector(_memory.Segment.Address, 8192)));
        Assert.True(_ring.TryTake(out Submission read));
        read.PrepareReadFixed(file.Descriptor, _memory.Segment.Address + 4096, 8192, 0, 0, 1);
        Assert.Equal(Errno.EFAULT, RunOne().Result.Error);
    }

    [Fact]
    public void Vectors_are_transferred_in_order()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite | HostOpenFlags.Direct);
        Span<byte> bytes = _memory.Memory.Span;
        bytes[..4096].Fill(1);
        bytes[8192..12288].Fill(2);
        nint address = _memory.Segment.Address;
        IoVector* vectors = stackalloc IoVector[2] { new IoVector(address + 8192, 4096), new IoVector(address, 4096) };
        Assert.True(_ring.TryTake(out Submission write));
        write.PrepareWriteVectored(file.Descriptor, vectors, 2, 0, 1);
        Assert.Equal(8192, RunOne().Result.Value);

        bytes.Clear();
        vectors[0] = new IoVector(address + 4096, 4096);
        vectors[1] = new IoVector(address + 16384, 4096);
        Assert.True(_ring.TryTake(out Submission read));
        read.PrepareReadVectored(file.Descriptor, vectors, 2, 0, 1);
        Assert.Equal(8192, RunOne().Result.Value);
        Assert.Equal(-1, bytes[4096..8192].IndexOfAnyExcept((byte)2));
        Assert.Equal(-1, bytes[16384..20480].IndexOfAnyExcept((byte)1));
    }

    [Fact]
    public void A_read_that_meets_the_end_is_short()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly);
        Assert.True(_ring.TryTake(out Submission read));
        read.PrepareRead(file.Descriptor, _memory.Segment.Address, 8192, (1 << 20) - 4096, 1);
        Assert.Equal(4096, RunOne().Result.Value);
    }

    [Fact]
    public void Errors_come_as_values()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly | HostOpenFlags.Direct);
        Assert.True(_ring.TryTake(out Submission write));
        write.PrepareWrite(file.Descriptor, _memory.Segment.Address, 4096, 0, 1);
        Assert.Equal(Errno.EBADF, RunOne().Result.Error);

        Assert.True(_ring.TryTake(out Submission noMemory));
        noMemory.PrepareRead(file.Descriptor, 4096, 4096, 0, 1);
        Assert.Equal(Errno.EFAULT, RunOne().Result.Error);

        Assert.True(_ring.TryTake(out Submission noFile));
        noFile.PrepareRead(12345, _memory.Segment.Address, 4096, 0, 1);
        Assert.Equal(Errno.EBADF, RunOne().Result.Error);
    }

    [Fact]
    public void One_bad_entry_does_not_hold_up_its_batch()
    {
        Assert.True(_ring.TryTake(out Submission bad));
        bad.PrepareNop(1);
        bad.Entry.Operation = (RingOperation)250;
        Assert.True(_ring.TryTake(out Submission good));
        good.PrepareNop(2);
        Assert.Equal(2, _ring.SubmitAndWait(2).Value);
        Assert.True(_ring.TryReap(out Completion first));
        Assert.True(_ring.TryReap(out Completion second));
        Assert.Equal((1ul, Errno.EINVAL), (first.UserData, first.Result.Error));
        Assert.Equal((2ul, Errno.None), (second.UserData, second.Result.Error));
    }

    [Fact]
    public void Flush_and_range_changes_run_on_the_ring()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite);
        Assert.True(_ring.TryTake(out Submission allocate));
        allocate.PrepareRangeChange(file.Descriptor, RangeChange.Allocate, 0, 1 << 20, 1);
        Assert.Equal(Errno.None, RunOne().Result.Error);
        Assert.Equal(Errno.None, file.GetStatus(out FileStatus full));
        Assert.True(full.AllocatedBytes >= 1 << 20);

        Assert.True(_ring.TryTake(out Submission punch));
        punch.PrepareRangeChange(file.Descriptor, RangeChange.PunchHole, 0, 1 << 20, 1);
        Assert.Equal(Errno.None, RunOne().Result.Error);
        Assert.Equal(Errno.None, file.GetStatus(out FileStatus punched));
        Assert.True(punched.AllocatedBytes < full.AllocatedBytes);
        Assert.Equal(1 << 20, punched.Size);

        Assert.True(_ring.TryTake(out Submission flush));
        flush.PrepareDataSync(file.Descriptor, 1);
        Assert.Equal(Errno.None, RunOne().Result.Error);
    }

    [Fact]
    public void A_wait_ends_at_its_timeout()
    {
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(Errno.ETIME, _ring.SubmitAndWait(1, TimeSpan.FromMilliseconds(20)).Error);
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void A_waiting_ring_is_woken_through_an_event_descriptor()
    {
        using EventFd wake = Assert.IsType<EventFd>(EventFd.Create(isBlocking: false, out Errno error));
        Assert.Equal(Errno.None, error);
        Assert.True(_ring.TryTake(out Submission poll));
        poll.PreparePoll(wake.Descriptor, 1, isMulti: false, 9);
        var signaller = new Thread(() =>
        {
            Thread.Sleep(20);
            wake.Signal();
        });
        signaller.Start();
        Completion completion = RunOne();
        signaller.Join();
        Assert.Equal(9ul, completion.UserData);
        Assert.Equal(1, completion.Result.Value & 1);
        Assert.Equal(Errno.None, wake.Take(out ulong count));
        Assert.Equal(1ul, count);
        Assert.Equal(Errno.EAGAIN, wake.Take(out _));
    }

    [Fact]
    public void A_cancelled_submission_says_so_and_completes_once()
    {
        using EventFd never = Assert.IsType<EventFd>(EventFd.Create(isBlocking: false, out _));
        Assert.True(_ring.TryTake(out Submission poll));
        poll.PreparePoll(never.Descriptor, 1, isMulti: false, 5);
        Assert.True(_ring.TryTake(out Submission cancel));
        cancel.PrepareCancel(5, 6);
        Assert.False(_ring.SubmitAndWait(2).IsError);
        var results = new Dictionary<ulong, Errno>();
        foreach (Completion completion in _ring.Completions)
        {
            results.Add(completion.UserData, completion.Result.Error);
        }

        Assert.Equal(Errno.ECANCELED, results[5]);
        Assert.Equal(Errno.None, results[6]);
    }

    [Fact]
    public void A_message_arrives_at_another_ring()
    {
        using Ring other = StartRing(8);
        Assert.True(_ring.TryTake(out Submission message));
        message.PrepareMessage(other.Descriptor, 42, 77, 1);
        Assert.Equal(Errno.None, RunOne().Result.Error);
        Assert.False(other.SubmitAndWait(1).IsError);
        Assert.True(other.TryReap(out Completion arrived));
        Assert.Equal((77ul, 42L), (arrived.UserData, arrived.Result.Value));
    }

    [Fact]
    public void Wide_entries_have_room_for_eighty_bytes_of_command()
    {
        using Ring wide = Ring.Create(new RingOptions(4, HasWideEntries: true));
        Assert.Equal(Errno.None, wide.Start());
        for (ulong i = 0; i < 9; i++)
        {
            Assert.True(wide.TryTake(out Submission submission));
            Assert.Equal(80, submission.CommandPayload.Length);
            submission.CommandPayload.Fill(0xFF);
            submission.PrepareNop(i);
            Assert.False(wide.SubmitAndWait(1).IsError);
            Assert.True(wide.TryReap(out Completion completion));
            Assert.Equal(i, completion.UserData);
        }
    }

    [Fact]
    public void Steady_state_allocates_nothing()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly | HostOpenFlags.Direct);
        ReadRepeatedly(file, 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadRepeatedly(file, 1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void The_best_mode_of_a_new_kernel_is_used_and_a_bad_size_is_a_typed_error()
    {
        if (Environment.OSVersion.Version >= new Version(6, 1))
        {
            Assert.True(_ring.Flags.HasFlag(RingFlags.SingleIssuer | RingFlags.DeferTaskRun));
        }

        RingUnavailableException refused = Assert.Throws<RingUnavailableException>(() => Ring.Create(new RingOptions(0)));
        Assert.Equal(Errno.EINVAL, refused.Error);
    }

    [Fact]
    public void Another_thread_cannot_submit_to_a_started_ring()
    {
        Errno error = Errno.None;
        var thread = new Thread(() => error = _ring.SubmitAndWait(0).Error);
        thread.Start();
        thread.Join();
        Assert.NotEqual(Errno.None, error);
    }

    public void Dispose()
    {
        _ring.Dispose();
        _file.Dispose();
        ((IDisposable)_memory).Dispose();
    }

    private static Ring StartRing(uint entries)
    {
        Ring ring = Ring.Create(new RingOptions(entries));
        Assert.Equal(Errno.None, ring.Start());
        return ring;
    }

    private void ReadRepeatedly(HostFile file, int times)
    {
        for (int i = 0; i < times; i++)
        {
            _ring.TryTake(out Submission read);
            read.PrepareRead(file.Descriptor, _memory.Segment.Address, 4096, 0, 1);
            _ring.SubmitAndWait(1);
            foreach (Completion completion in _ring.Completions)
            {
                if (completion.Result.Value != 4096)
                {
                    throw new InvalidOperationException(completion.Result.ToString());
                }
            }
        }
    }

    private Completion RunOne()
    {
        Assert.Equal(_ring.PreparedCount, _ring.SubmitAndWait(1).Value);
        Assert.True(_ring.TryReap(out Completion completion));
        Assert.False(_ring.HasCompletions);
        return completion;
    }
}
