namespace Penstock.Uring;

/// <summary>Makes the best ring that the kernel allows.</summary>
internal static unsafe class RingSetup
{
    private const RingFlags Base = RingFlags.Clamp | RingFlags.CompletionQueueSize | RingFlags.StartsDisabled;

    // Best first. A kernel that does not know a flag answers EINVAL; each step asks for what an older one knows (6.1, 6.0, 5.19, 5.18, 5.10).
    private static readonly RingFlags[] s_steps =
    [
        Base | RingFlags.SubmitAll | RingFlags.SingleIssuer | RingFlags.DeferTaskRun,
        Base | RingFlags.SubmitAll | RingFlags.SingleIssuer | RingFlags.CooperativeTaskRun,
        Base | RingFlags.SubmitAll | RingFlags.CooperativeTaskRun,
        Base | RingFlags.SubmitAll,
        Base,
    ];

    /// <summary>Sets up a ring and returns its descriptor.</summary>
    /// <exception cref="RingUnavailableException">There is none to be had.</exception>
    public static int Run(RingOptions options, out RingParameters parameters)
    {
        Errno error = Errno.EINVAL;
        foreach (RingFlags step in s_steps)
        {
            if (options.IsShared && (step & RingFlags.SingleIssuer) != 0)
            {
                continue;
            }

            RingParameters attempt = default;
            attempt.Flags = step | (options.HasWideEntries ? RingFlags.WideEntries : RingFlags.None);
            attempt.CompletionEntries = options.CompletionEntries == 0 ? options.Entries * 2 : options.CompletionEntries;
            CallResult result = RingCalls.Setup(options.Entries, &attempt);
            if (!result.IsError)
            {
                parameters = attempt;
                return (int)result.Value;
            }

            error = result.Error;
            if (error != Errno.EINVAL)
            {
                break;
            }
        }

        throw RingUnavailableException.ForSetup(error);
    }
}
