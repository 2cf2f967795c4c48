namespace Penstock.Uring;

/// <summary>IORING_SETUP_*.</summary>
[Flags]
internal enum RingFlags : uint
{
    None = 0,

    /// <summary>IORING_SETUP_CQSIZE (5.5): the completion queue's size is given.</summary>
    CompletionQueueSize = 1 << 3,

    /// <summary>IORING_SETUP_CLAMP (5.6): sizes above the kernel's limit are cut to it.</summary>
    Clamp = 1 << 4,

    /// <summary>IORING_SETUP_R_DISABLED (5.10): no submission until the ring is enabled; who enables it becomes the issuer.</summary>
    StartsDisabled = 1 << 6,

    /// <summary>IORING_SETUP_SUBMIT_ALL (5.18): one bad entry does not stop the rest of its batch.</summary>
    SubmitAll = 1 << 7,

    /// <summary>IORING_SETUP_COOP_TASKRUN (5.19): completions do not interrupt the issuer.</summary>
    CooperativeTaskRun = 1 << 8,

    /// <summary>IORING_SETUP_SQE128 (5.19): submission entries of 128 bytes, for commands with a payload.</summary>
    WideEntries = 1 << 10,

    /// <summary>IORING_SETUP_SINGLE_ISSUER (6.0): one thread alone submits.</summary>
    SingleIssuer = 1 << 12,

    /// <summary>IORING_SETUP_DEFER_TASKRUN (6.1): completions are worked off only when the issuer asks for them.</summary>
    DeferTaskRun = 1 << 13,
}

/// <summary>IORING_FEAT_*.</summary>
[Flags]
internal enum RingFeatures : uint
{
    /// <summary>IORING_FEAT_SINGLE_MMAP: both queues lie in one mapping.</summary>
    SingleMapping = 1 << 0,

    /// <summary>IORING_FEAT_NODROP: completions that find no room wait in the kernel.</summary>
    NoDrop = 1 << 1,

    /// <summary>IORING_FEAT_SUBMIT_STABLE: what an entry points to, other than buffers, may go as soon as it is submitted.</summary>
    StableSubmission = 1 << 2,

    /// <summary>IORING_FEAT_EXT_ARG (5.11): a wait takes a timeout.</summary>
    ExtendedArgument = 1 << 8,
}

/// <summary>What a new <see cref="Ring"/> should be like.</summary>
/// <param name="Entries">Submission entries, rounded up by the kernel to a power of two.</param>
/// <param name="CompletionEntries">Completion entries, at least as many; 0 is twice the submission entries.</param>
/// <param name="HasWideEntries">Entries of 128 bytes; without them the ring cannot be made on kernels before 5.19.</param>
/// <param name="IsShared">Several threads use the ring, one at a time.</param>
internal readonly record struct RingOptions(uint Entries, uint CompletionEntries = 0, bool HasWideEntries = false, bool IsShared = false);
