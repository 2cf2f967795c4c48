using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// The place of a guest in a ring's loop: looks for its requests after each round of completions, and has the ring wait for its descriptor while
/// nothing is there. One thread.
/// </summary>
/// <remarks>
/// A program that waits for one answer before it asks again finds the loop asleep each time, and to wake it costs more than most answers do. So the loop
/// looks a few times more before it sleeps, as long as that is worth while: each time in vain halves how long it looks, and it rests after a few.
/// </remarks>
internal sealed class GuestSeat(IRingGuest guest)
{
    public const ulong PollUserData = ulong.MaxValue - 1;

    // POLLIN, and EPOLLEXCLUSIVE: of several loops that wait for one descriptor, a request wakes one.
    private const uint Readable = 1 | (1u << 28);
    private const ulong CancelUserData = ulong.MaxValue - 2;

    // No slot of a request has the highest bit in its user data.
    private const ulong CommandBit = 1UL << 63;

    private static readonly int s_mostLooks = Environment.ProcessorCount > 1 ? LookPatience.Most : 0;

    private readonly LookPatience _patience = new(s_mostLooks);
    private GuestState _state = GuestState.Busy;
    private bool _isPollArmed;
    private bool _isCancelling;
    private bool _hasCompleted;
    private bool _looksAgain;

    public IRingGuest Guest => guest;

    /// <summary>Whether to go on without sleeping. Looked at again after the loop has said that it sleeps, since a guest that gets room wakes only a sleeper.</summary>
    public bool IsReady => _looksAgain || (_state is GuestState.Busy or GuestState.Drained && guest.MayTakeIn);

    /// <summary>Whether completions can be there that only a call brings out.</summary>
    public bool HasCommands => guest.SendsCommands;

    public bool HasEnded => _state == GuestState.Ended;

    /// <summary>Whether the kernel still waits for the descriptor.</summary>
    public bool IsPollArmed => _isPollArmed;

    public static bool IsOurs(ulong userData) => (userData & CommandBit) != 0;

    public static ulong UserDataOf(uint command) => CommandBit | command;

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

    public void Completed(ulong userData, CallResult result)
    {
        if (userData == PollUserData)
        {
            _isPollArmed = false;
            _state = _state == GuestState.Idle ? GuestState.Busy : _state;
        }
        else if (userData != CancelUserData)
        {
            _hasCompleted = true;
            guest.Completed((uint)userData, result);
        }
    }

    public void TakeIn()
    {
        if (IsReady && guest.MayTakeIn)
        {
            _state = guest.TakeIn();
        }
    }

    /// <summary>Decides, when nothing is left to take in, whether to look again or to sleep.</summary>
    /// <param name="hasElse">Whether the loop has something else to wait for, whose completion would find it asleep in any case.</param>
    public void Settle(bool hasElse)
    {
        if (guest.SendsCommands)
        {
            if (_hasCompleted)
            {
                _patience.Found();
            }

            _looksAgain = !hasElse && (_hasCompleted || _patience.MayLookAgain());
            _hasCompleted = false;
        }
        else if (_state == GuestState.Drained)
        {
            _patience.Found();
            _state = hasElse ? GuestState.Idle : GuestState.Drained;
        }
        else if (_state == GuestState.Idle && !_isPollArmed && !hasElse && _patience.MayLookAgain())
        {
            _state = GuestState.Drained;
        }
    }
}
