using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// The place of a guest in a ring's loop: looks for its requests after each round of completions, and has the ring wait for its descriptor only while
/// nothing is there. One thread.
/// </summary>
internal sealed class GuestSeat(IRingGuest guest)
{
    public const ulong PollUserData = ulong.MaxValue - 1;

    // POLLIN, and EPOLLEXCLUSIVE: of several loops that wait for one descriptor, a request wakes one.
    private const uint Readable = 1 | (1u << 28);
    private const ulong CancelUserData = ulong.MaxValue - 2;

    private GuestState _state = GuestState.Busy;
    private bool _isPollArmed;
    private bool _isCancelling;

    public IRingGuest Guest => guest;

    /// <summary>Whether to go on without sleeping. Looked at again after the loop has said that it sleeps, since a guest that gets room wakes only a sleeper.</summary>
    public bool IsReady => _state == GuestState.Busy && guest.MayTakeIn;

    public bool HasEnded => _state == GuestState.Ended;

    /// <summary>Whether the kernel still waits for the descriptor.</summary>
    public bool IsPollArmed => _isPollArmed;

    public static bool IsOurs(ulong userData) => userData is PollUserData or CancelUserData;

    public void ArmPoll(Ring ring)
    {
        if (_state == GuestState.Idle && !_isPollArmed && ring.TryTake(out Submission submission))
        {
            submission.PreparePoll(guest.Descriptor, Readable, isMulti: false, PollUserData);
            _isPollArmed = true;
        }
    }

    public void CancelPoll(Ring ring)
    {
        if (_isPollArmed && !_isCancelling && ring.TryTake(out Submission submission))
        {
            submission.PrepareCancel(PollUserData, CancelUserData);
            _isCancelling = true;
        }
    }

    public void Completed(ulong userData)
    {
        if (userData == PollUserData)
        {
            _isPollArmed = false;
            _state = _state == GuestState.Idle ? GuestState.Busy : _state;
        }
    }

    public void TakeIn()
    {
        if (IsReady)
        {
            _state = guest.TakeIn();
        }
    }
}
