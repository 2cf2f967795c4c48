using System.Runtime.InteropServices;
using Penstock.Devices.Host;
using Penstock.Execution;
using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// The one thread at a time that talks to a device's ring: it takes arrivals in, submits them in batches, and completes what the kernel has done,
/// inline. It sleeps only inside the kernel.
/// </summary>
/// <remarks>
/// <para>Waking: a submitter pushes, then looks whether the reaper sleeps; the reaper says that it sleeps, then looks for arrivals
/// (<see cref="SleepFlag"/>). Only a sleeper costs its waker a system call.</para>
/// <para>Flushes: one fdatasync at a time. The host reports a lost write to one of two concurrent calls only, and the
/// other would be a false success; so those that arrive meanwhile share the next one. A device with several rings sends them all to one.</para>
/// <para>With a <see cref="SharedDuty"/> the thread runs users' continuations between its rounds, having laid the duty down; what they submit it
/// finds among the arrivals. Without one, a thread has the ring for itself to the end.</para>
/// <para>A ring may have a guest, whose requests are taken in between the rounds of completions; such a loop ends with its guest.</para>
/// </remarks>
internal sealed unsafe class RingReaper : IRingHost, IDisposable
{
    private const ulong WakeUserData = ulong.MaxValue;

    /// <summary>
    /// After so many completions, what they submitted is sent on, so that the device does not idle while the rest are worked off. Measured
    /// with 4 KiB random reads at depth 32: 97k a second with 4, 98k with 1 (and more processor time), 84k with 16, 82k with no limit; fio 103k.
    /// </summary>
    private const int BatchLength = 4;

    [ThreadStatic]
    private static RingReaper? t_current;

    private readonly Ring _ring;
    private readonly EventFd _wake;
    private readonly GuestSeat? _seat;
    private readonly Scheduler? _scheduler;
    private readonly SharedDuty? _duty;
    private readonly Func<bool> _isIdle;
    private readonly Action _ended;
    private readonly TransferStep _step;
    private readonly FlushLatch _latch;
    private readonly DrainGate _gate;
    private readonly RingSlots _slots;
    private readonly ArrivalStack _arrivals = new();
    private readonly RequestQueue _waiting = new();
    private readonly RequestQueue _flushesWaiting = new();
    private readonly RequestQueue _flushesServed = new();
    private readonly ulong* _wakeCount = (ulong*)NativeMemory.AllocZeroed(sizeof(ulong));
    private bool _isFlushInFlight;
    private bool _isWakeArmed;
    private readonly SleepFlag _sleep = new();
    private volatile bool _isStopping;

    /// <summary>A loop with a thread of its own; <paramref name="ended"/> is the last thing it does.</summary>
    public RingReaper(Ring ring, EventFd wake, TransferStep step, FlushLatch latch, DrainGate gate, Action ended)
    {
        _ended = ended;
        _isIdle = () => _slots!.UsedCount == 0 && _waiting.IsEmpty && _arrivals.IsEmpty;
        _ring = ring;
        _wake = wake;
        _step = step;
        _latch = latch;
        _gate = gate;

        // Never more in flight than the submission queue holds, less the wake-up and a guest's poll and its end: so neither queue can ever be full.
        _slots = new RingSlots(ring.Capacity - 3);
    }

    /// <summary>A loop with a thread of its own and a guest.</summary>
    public RingReaper(Ring ring, EventFd wake, TransferStep step, FlushLatch latch, DrainGate gate, Action ended, IRingGuest guest)
        : this(ring, wake, step, latch, gate, ended)
    {
        _seat = new GuestSeat(guest);
        guest.Seated(this);
    }

    /// <summary>A loop whose thread runs users' continuations too, on a shared ring; threads called <paramref name="name"/> stand in for it.</summary>
    public RingReaper(Ring ring, EventFd wake, TransferStep step, FlushLatch latch, DrainGate gate, Action ended, Scheduler scheduler, string name)
        : this(ring, wake, step, latch, gate, ended)
    {
        _scheduler = scheduler;
        _duty = new SharedDuty(() => scheduler.StartReaper(name, () => Serve(hasDuty: false)));
    }

    public bool IsHere => ReferenceEquals(t_current, this);

    /// <summary>The loop that the calling thread runs, or null.</summary>
    public static RingReaper? Current => t_current;

    /// <summary>Whether the loop is one of the device whose requests this gate counts.</summary>
    public bool Serves(DrainGate gate) => ReferenceEquals(_gate, gate);

    /// <summary>Any thread: hands in a request. On the reaper's own thread it joins the batch that is sent when its completions are done.</summary>
    public void Submit(DeviceRequest request)
    {
        if (IsHere)
        {
            _waiting.Enqueue(request);
            return;
        }

        _arrivals.Push(request);
        Wake();
    }

    /// <summary>Any thread, after it has left something to do: the loop looks, or is about to.</summary>
    public void Wake()
    {
        if (_sleep.MustWake())
        {
            Signal();
        }
    }

    public Submission TakeCommand(uint command, out ulong userData)
    {
        userData = GuestSeat.UserDataOf(command);
        return TakeEntry();
    }

    /// <summary>Any thread, once nothing is in flight and nothing more is submitted: ends the loop.</summary>
    public void Stop()
    {
        _isStopping = true;
        Wake();
    }

    /// <summary>The loop, on the thread that the scheduler gave it.</summary>
    public void Run()
    {
        Require(_ring.Start(isShared: _duty is not null));
        Serve(_duty is null || _duty.TryTake());
    }

    /// <summary>Takes its turns at the duty until it has ended.</summary>
    private void Serve(bool hasDuty)
    {
        if (_duty is not null)
        {
            _scheduler!.OpenRow(_duty);
        }

        bool hasEnded = false;
        while (!hasEnded && (hasDuty || _duty!.WaitToTake()))
        {
            t_current = this;
            hasEnded = RunRounds();
            t_current = null;
            hasDuty = false;
        }

        if (_duty is not null)
        {
            _scheduler!.CloseRow();
        }

        if (hasEnded)
        {
            _duty?.End();
            _ended();
        }
    }

    /// <summary>Goes on until everything has ended: true; or until somebody else has the duty: false.</summary>
    private bool RunRounds()
    {
        while (true)
        {
            ArmWake();
            _seat?.ArmPoll(_ring);
            _arrivals.MoveTo(_waiting);
            PrepareWaiting();
            if (_isStopping && _slots.UsedCount == 0 && _waiting.IsEmpty && _arrivals.IsEmpty)
            {
                break;
            }

            Enter();
            Reap();
            TakeInGuest();
            if (_duty is not null && !RunUsers())
            {
                return false;
            }
        }

        Retire();
        _seat?.Guest.Left();
        return true;
    }

    private bool RunUsers()
    {
        _scheduler!.EndRound(_isIdle);
        t_current = null;
        bool hasDuty = _scheduler.RunRow();
        t_current = this;
        return hasDuty;
    }

    public void Dispose()
    {
        _slots.Dispose();
        _step.Dispose();
        NativeMemory.Free(_wakeCount);
    }

    private void Signal()
    {
        try
        {
            Require(_wake.Signal());
        }
        catch (ObjectDisposedException)
        {
            // The request was taken in without this signal, has completed, and the device was closed since: nobody is left to wake.
        }
    }

    private void ArmWake()
    {
        if (!_isWakeArmed && _ring.TryTake(out Submission submission))
        {
            submission.PrepareRead(_wake.Descriptor, (nint)_wakeCount, sizeof(ulong), 0, WakeUserData);
            _isWakeArmed = true;
        }
    }

    private void PrepareWaiting()
    {
        while (_slots.HasFree && _waiting.Dequeue() is { } request)
        {
            if (request.Operation != DeviceOperation.Flush)
            {
                Prepare(_slots.Take(request));
            }
            else if (_latch.HasFailed)
            {
                Complete(request, _latch.Judge(IoFault.None));
            }
            else
            {
                _flushesWaiting.Enqueue(request);
            }
        }

        StartFlush();
    }

    private void StartFlush()
    {
        if (_isFlushInFlight || !_slots.HasFree || _flushesWaiting.Dequeue() is not { } leader)
        {
            return;
        }

        _isFlushInFlight = true;
        while (_flushesWaiting.Dequeue() is { } follower)
        {
            _flushesServed.Enqueue(follower);
        }

        Prepare(_slots.Take(leader));
    }

    private void Prepare(int index) => _step.Prepare(TakeEntry(), ref _slots[index], _slots.UserData(index));

    private Submission TakeEntry()
    {
        if (!_ring.TryTake(out Submission submission))
        {
            // What was prepared before did not all go to the kernel yet: a guest's commands fill the queue too, or the kernel is short of memory.
            SubmitPrepared();
            if (!_ring.TryTake(out submission))
            {
                Environment.FailFast("The ring has no room for what it must have room for.");
            }
        }

        return submission;
    }

    private void Enter()
    {
        if (_ring.HasCompletions)
        {
            if (_ring.PreparedCount > 0)
            {
                Judge(_ring.Submit());
            }

            return;
        }

        if ((!_waiting.IsEmpty && _slots.HasFree) || (_duty is not null && _scheduler!.HasRow))
        {
            SubmitPrepared();
            return;
        }

        _sleep.Say();
        if (_arrivals.IsEmpty && (!_isStopping || _slots.UsedCount > 0) && _seat is not { IsReady: true })
        {
            Judge(_ring.SubmitAndWait(1));
        }
        else if (_ring.PreparedCount > 0 || _slots.UsedCount > 0 || _seat is { HasCommands: true })
        {
            SubmitPrepared();
        }

        _sleep.TakeBack();
    }

    private void SubmitPrepared() => Judge(_ring.SubmitAndWait(0));

    private static void Judge(CallResult result)
    {
        // EINTR: a signal. EAGAIN, EBUSY, ENOMEM: the kernel is short of something that completions will give back. The loop tries again.
        if (result.Error is not (Errno.None or Errno.EINTR or Errno.EAGAIN or Errno.EBUSY or Errno.ENOMEM))
        {
            Require(result.Error);
        }
    }

    private void Reap()
    {
        int finished = 0;
        foreach (Completion completion in _ring.Completions)
        {
            if (completion.UserData == WakeUserData)
            {
                _isWakeArmed = false;
            }
            else if (GuestSeat.IsOurs(completion.UserData))
            {
                _seat!.Completed(completion.UserData, completion.Result);
            }
            else
            {
                Finish(_slots.Find(completion.UserData), completion.Result);
                if (++finished % BatchLength == 0)
                {
                    if (_duty is not null)
                    {
                        // The users' turn: what they submit goes on before the rest is worked off.
                        return;
                    }

                    SendOn();
                }
            }
        }
    }

    private void TakeInGuest()
    {
        if (_seat is { HasEnded: false })
        {
            _seat.TakeIn();
            _seat.Settle(hasElse: _slots.UsedCount > 0 || !_waiting.IsEmpty);
            _isStopping |= _seat.HasEnded;
        }
    }

    private void SendOn()
    {
        PrepareWaiting();
        if (_ring.PreparedCount > 0)
        {
            Judge(_ring.Submit());
        }
    }

    private void Finish(int index, CallResult result)
    {
        DeviceRequest request = _slots[index].Request!;
        switch (request.Operation)
        {
            case DeviceOperation.Flush:
                FinishFlush(_slots.Free(index), result.Error.ToFault());
                break;
            case DeviceOperation.Discard:
                // Where the host cannot punch, the promise of a discard (nothing) is kept as well.
                IoFault fault = result.Error == Errno.EOPNOTSUPP ? IoFault.None : result.Error.ToFault();
                Complete(_slots.Free(index), RangeResult(request, fault));
                break;
            case DeviceOperation.WriteZeroes when !_slots[index].WritesZeroes:
                FinishZeroRange(index, result.Error);
                break;
            default:
                FinishTransfer(index, result);
                break;
        }
    }

    private void FinishFlush(DeviceRequest leader, IoFault fault)
    {
        _isFlushInFlight = false;
        IoResult outcome = _latch.Judge(fault);

        // What a completion submits waits with the arrivals, for the next flush: this one began before.
        RequestQueue served = _flushesServed;
        DeviceRequest? next = leader;
        while (next is not null)
        {
            DeviceRequest current = next;
            next = served.Dequeue();
            Complete(current, outcome);
        }

        StartFlush();
    }

    private void FinishZeroRange(int index, Errno error)
    {
        if (error == Errno.EOPNOTSUPP)
        {
            _slots[index].WritesZeroes = true;
            Prepare(index);
            return;
        }

        DeviceRequest request = _slots.Free(index);
        Complete(request, RangeResult(request, error.ToFault()));
    }

    private void FinishTransfer(int index, CallResult result)
    {
        ref RingSlots.Slot slot = ref _slots[index];
        DeviceRequest request = slot.Request!;
        if (result.Error is Errno.EINTR or Errno.EAGAIN)
        {
            Prepare(index);
            return;
        }

        if (result.IsError)
        {
            Fail(index, request.Progress, result.Error.ToFault());
            return;
        }

        if (result.Value == slot.Expected)
        {
            request.Progress += result.Value;
            if (request.Progress == request.Length)
            {
                Complete(_slots.Free(index), IoResult.Transferred(request.Length));
                return;
            }
        }
        else
        {
            // A step that ended within a block is repeated from the block's start: the device takes no other offset.
            long whole = (request.Progress + result.Value) & ~(_step.LogicalBlockSize - 1L);
            if (whole <= request.Progress)
            {
                Fail(index, request.Progress + result.Value, IoFault.DeviceFailed);
                return;
            }

            request.Progress = whole;
        }

        Prepare(index);
    }

    private void Fail(int index, long bytes, IoFault fault)
    {
        DeviceRequest request = _slots.Free(index);
        _latch.Observe(request.Operation, fault);
        Complete(request, new IoResult(bytes, fault));
    }

    private static IoResult RangeResult(DeviceRequest request, IoFault fault) =>
        fault == IoFault.None ? IoResult.Transferred(request.Length) : IoResult.Failed(fault);

    private void Complete(DeviceRequest request, IoResult result)
    {
        request.Complete(result);
        _gate.Exit();
    }

    /// <summary>Takes the wake-up back, since it reads into memory that is about to go, and lets go of a guest's descriptor.</summary>
    private void Retire()
    {
        while (_isWakeArmed || _seat is { IsPollArmed: true })
        {
            _ = _wake.Signal();
            _seat?.CancelPoll(_ring);
            Judge(_ring.SubmitAndWait(1));
            Reap();
        }
    }

    private static void Require(Errno error)
    {
        if (error != Errno.None)
        {
            Environment.FailFast($"The ring of a device no longer works: {error}.");
        }
    }
}
