using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>
/// A source of requests that shares a ring's thread with the device they are for: what it takes in goes to the device, and what has completed is
/// answered, without another thread being woken. All members but <see cref="MayTakeIn"/> are called on that thread, a core place.
/// </summary>
internal interface IRingGuest
{
    /// <summary>A descriptor that is readable when there is something to take in.</summary>
    int Descriptor { get; }

    /// <summary>Memory that the ring registers, so far as the host's limit allows, for transfers between it and the device; may be empty.</summary>
    IoSegment Memory { get; }

    /// <summary>Whether there is room to take in more. When it turns true again, the guest wakes its host.</summary>
    bool MayTakeIn { get; }

    /// <summary>The host is there; <paramref name="wake"/> makes it look at the guest again, from any thread.</summary>
    void Seated(Action wake);

    /// <summary>Takes in a few requests, without blocking.</summary>
    GuestState TakeIn();

    /// <summary>The guest had ended, and all that it had submitted has completed: it is not called any more.</summary>
    void Left();
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
