using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices;

/// <summary>
/// A source of requests that shares a ring's thread with the device they are for: what it takes in goes to the device, and what has completed is
/// answered, without another thread being woken. All members but <see cref="MayTakeIn"/> are called on that thread, a core place.
/// </summary>
internal interface IRingGuest
{
    /// <summary>A descriptor that is readable when there is something to take in; -1 for a guest whose commands bring it.</summary>
    int Descriptor { get; }

    /// <summary>Whether the guest submits commands of its own, with a payload, to the ring.</summary>
    bool SendsCommands => Descriptor < 0;

    /// <summary>Memory that the ring registers, so far as the host's limit allows, for transfers between it and the device; may be empty.</summary>
    IoSegment Memory { get; }

    /// <summary>Whether there is room to take in more. When it turns true again, the guest wakes its host.</summary>
    bool MayTakeIn { get; }

    /// <summary>The guest has its host.</summary>
    void Seated(IRingHost host);

    /// <summary>Takes in a few requests, without blocking.</summary>
    GuestState TakeIn();

    /// <summary>A command of the guest has completed.</summary>
    void Completed(uint command, CallResult result);

    /// <summary>The guest had ended, and all that it had submitted has completed: it is not called any more.</summary>
    void Left();
}

/// <summary>What a guest may ask of the loop that hosts it.</summary>
internal interface IRingHost
{
    /// <summary>Whether the calling thread is the loop's.</summary>
    bool IsHere { get; }

    /// <summary>Makes the loop look at the guest again. Any thread.</summary>
    void Wake();

    /// <summary>The entry of a command, which is sent with the loop's next batch, and what the guest must put into it as user data. The loop's thread.</summary>
    Submission TakeCommand(uint command, out ulong userData);
}

/// <summary>What a guest says after it has taken in what it could.</summary>
internal enum GuestState
{
    /// <summary>It took some, and there may be more.</summary>
    Busy,

    /// <summary>It took some, and there was no more.</summary>
    Drained,

    /// <summary>Nothing was there.</summary>
    Idle,

    /// <summary>Nothing more will come.</summary>
    Ended,
}
