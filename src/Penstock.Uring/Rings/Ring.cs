using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>
/// One io_uring. Made and furnished (files, buffers) by any thread, then bound by <see cref="Start"/> to the one thread that submits
/// and reaps; disposed by any thread after that one has stopped using it.
/// </summary>
/// <remarks>
/// Memory order, against the kernel, which runs on any processor:
/// <list type="bullet">
/// <item>Submission tail: ours; stored with release, so that the kernel, which loads it with acquire, sees the entries before it.</item>
/// <item>Submission head: the kernel's; loaded with acquire, so that an entry is overwritten only after the kernel has read it.</item>
/// <item>Completion tail: the kernel's; loaded with acquire, so that the entries before it are read after it.</item>
/// <item>Completion head: ours; stored with release, after the entry was copied, so that the kernel cannot overwrite it before.</item>
/// </list>
/// The queue's flags need no order: they are hints that the next system call acts upon.
/// </remarks>
internal sealed unsafe class Ring : IDisposable
{
    private const uint WaitForCompletions = 1;
    private const uint ExtendedArgument = 8;
    private const uint RegisteredRing = 16;
    private const uint CompletionOverflowed = 2;

    private readonly RingDescriptor _descriptor;
    private readonly RingMapping _mapping;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint* _submissionFlags;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly Completion* _completions;
    private readonly uint _submissionMask;
    private readonly uint _completionMask;
    private readonly uint _entryStride;
    private uint _localTail;
    private uint _submittedTail;
    private uint _enterFlags;
    private int _enterDescriptor;

    private Ring(RingDescriptor descriptor, in RingParameters parameters)
    {
        _descriptor = descriptor;
        _mapping = new RingMapping(descriptor.Number, parameters);
        Flags = parameters.Flags;
        Features = parameters.Features;
        Capacity = (int)parameters.SubmissionEntries;
        CompletionCapacity = (int)parameters.CompletionEntries;
        _entryStride = (uint)sizeof(SubmissionEntry) * (Flags.HasFlag(RingFlags.WideEntries) ? 2u : 1u);
        _submissionHead = _mapping.Field(parameters.Submission.Head);
        _submissionTail = _mapping.Field(parameters.Submission.Tail);
        _submissionFlags = _mapping.Field(parameters.Submission.Flags);
        _completionHead = _mapping.Field(parameters.Completion.Head);
        _completionTail = _mapping.Field(parameters.Completion.Tail);
        _completions = (Completion*)_mapping.Field(parameters.Completion.Entries);
        _submissionMask = *_mapping.Field(parameters.Submission.RingMask);
        _completionMask = *_mapping.Field(parameters.Completion.RingMask);
        _localTail = _submittedTail = *_submissionTail;
        _enterDescriptor = descriptor.Number;

        // The kernel takes entries by way of an array of indexes. Entries are used strictly in turn, so each slot names itself for ever.
        uint* array = _mapping.Field(parameters.Submission.Array);
        for (uint i = 0; i < parameters.SubmissionEntries; i++)
        {
            array[i] = i;
        }
    }

    /// <summary>What the kernel granted, after falling back.</summary>
    public RingFlags Flags { get; }

    public RingFeatures Features { get; }

    /// <summary>How many entries can be prepared before they must be submitted.</summary>
    public int Capacity { get; }

    /// <summary>How many completions fit; who keeps fewer in flight never meets an overflow.</summary>
    public int CompletionCapacity { get; }

    /// <summary>The ring's descriptor, for messages from another ring.</summary>
    public int Descriptor => _descriptor.Number;

    /// <summary>Entries prepared and not yet taken by the kernel.</summary>
    public int PreparedCount => (int)(_localTail - _submittedTail);

    /// <summary>Whether completions wait in the kernel for room; the next wait brings them.</summary>
    public bool HasOverflow => (Volatile.Read(ref *_submissionFlags) & CompletionOverflowed) != 0;

    /// <summary>Whether a completion can be taken without a system call.</summary>
    public bool HasCompletions => Volatile.Read(ref *_completionTail) != *_completionHead;

    /// <summary>Takes the completions that are there, one by one; each is off the queue when it is handed out.</summary>
    public CompletionSequence Completions => new(this);

    /// <summary>Makes a ring.</summary>
    /// <exception cref="RingUnavailableException">The kernel refuses, or is too old; the message says which.</exception>
    public static Ring Create(RingOptions options)
    {
        var descriptor = new RingDescriptor(RingSetup.Run(options, out RingParameters parameters));
        try
        {
            const RingFeatures Needed =
                RingFeatures.SingleMapping | RingFeatures.NoDrop | RingFeatures.StableSubmission | RingFeatures.ExtendedArgument;
            if ((parameters.Features & Needed) != Needed)
            {
                throw RingUnavailableException.ForSetup(Errno.EINVAL);
            }

            return new Ring(descriptor, parameters);
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Starts the ring, and binds it to the calling thread, which alone submits, waits and reaps from now on, unless it <paramref name="isShared"/>.</summary>
    public Errno Start(bool isShared = false)
    {
        Errno error = RingCalls.Register(Descriptor, RegisterOperation.EnableRing, null, 0).Error;
        if (error == Errno.None && !isShared)
        {
            // Registered with the calling thread: no other could use it.
            UseRegisteredDescriptor();
        }

        return error;
    }

    /// <summary>Registers files; from then on an entry with <see cref="SubmissionFlags.FixedFile"/> names one by its index.</summary>
    public Errno RegisterFiles(ReadOnlySpan<int> descriptors)
    {
        fixed (int* first = descriptors)
        {
            return RingCalls.Register(Descriptor, RegisterOperation.Files, first, (uint)descriptors.Length).Error;
        }
    }

    /// <summary>Lets go of the registered files now: the end of the ring does it at some later time.</summary>
    public Errno UnregisterFiles() => RingCalls.Register(Descriptor, RegisterOperation.UnregisterFiles, null, 0).Error;

    /// <summary>Makes the table of registered buffers, with <paramref name="count"/> empty slots. EINVAL where the kernel has no such tables.</summary>
    public Errno RegisterBufferTable(uint count)
    {
        // IORING_RSRC_REGISTER_SPARSE
        var table = new ResourceTable { Count = count, Flags = 1 };
        return RingCalls.Register(Descriptor, RegisterOperation.BufferTable, &table, (uint)sizeof(ResourceTable)).Error;
    }

    /// <summary>
    /// Puts a buffer of at most 1 GiB into a slot of the table, or nothing. ENOMEM says that the memlock limit leaves no room for it; the ring works on
    /// without.
    /// </summary>
    public Errno UpdateBuffer(uint slot, IoVector buffer)
    {
        var update = new ResourceRangeUpdate { Offset = slot, Payload = (ulong)&buffer, Count = 1 };
        return RingCalls.Register(Descriptor, RegisterOperation.UpdateBuffers, &update, (uint)sizeof(ResourceRangeUpdate)).Error;
    }

    /// <summary>Takes the next free entry; false if the queue is full and must be submitted first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(out Submission submission)
    {
        if (_localTail - Volatile.Read(ref *_submissionHead) > _submissionMask)
        {
            submission = default;
            return false;
        }

        var entry = (SubmissionEntry*)(_mapping.Entries + ((_localTail & _submissionMask) * _entryStride));
        _localTail++;
        submission = new Submission(entry, (int)_entryStride - 48);
        return true;
    }

    /// <summary>Hands the prepared entries to the kernel without waiting; the value is how many it took.</summary>
    public CallResult Submit() => Enter(0, WithCompletionWork(0), null);

    /// <summary>Hands the prepared entries to the kernel and waits until at least <paramref name="minimum"/> completions are there.</summary>
    /// <returns>How many entries were taken. EINTR where a signal ended the wait before any was.</returns>
    public CallResult SubmitAndWait(uint minimum) => Enter(minimum, WaitForCompletions, null);

    /// <summary>The same, but waits no longer than <paramref name="timeout"/>: ETIME if that passed and no entry was taken.</summary>
    public CallResult SubmitAndWait(uint minimum, TimeSpan timeout)
    {
        var time = new KernelTimespec
        {
            Seconds = timeout.Ticks / TimeSpan.TicksPerSecond,
            Nanoseconds = timeout.Ticks % TimeSpan.TicksPerSecond * 100,
        };
        return Enter(minimum, WaitForCompletions, &time);
    }

    /// <summary>Gives everything back. What is still in flight is cancelled by the kernel at some later time: reap it first.</summary>
    public void Dispose()
    {
        _mapping.Dispose();
        _descriptor.Dispose();
    }

    /// <summary>Takes one completion off the queue.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryReap(out Completion completion)
    {
        uint head = *_completionHead;
        if (head == Volatile.Read(ref *_completionTail))
        {
            completion = default;
            return false;
        }

        completion = _completions[head & _completionMask];
        Volatile.Write(ref *_completionHead, head + 1);
        return true;
    }

    // A ring that defers its work does none of it in a plain submission; overflowed completions too are brought only on request.
    private uint WithCompletionWork(uint flags) => HasOverflow ? flags | WaitForCompletions : flags;

    private CallResult Enter(uint minimum, uint flags, KernelTimespec* timeout)
    {
        uint toSubmit = _localTail - _submittedTail;
        Volatile.Write(ref *_submissionTail, _localTail);
        CallResult result;
        if (timeout == null)
        {
            result = RingCalls.Enter(_enterDescriptor, toSubmit, minimum, flags | _enterFlags, null, 0);
        }
        else
        {
            var argument = new WaitArgument { Timespec = (ulong)timeout };
            result = RingCalls.Enter(
                _enterDescriptor, toSubmit, minimum, flags | _enterFlags | ExtendedArgument, &argument, (nuint)sizeof(WaitArgument));
        }

        if (!result.IsError)
        {
            Debug.Assert(result.Value <= toSubmit, "The kernel takes no more than it is given.");
            _submittedTail += (uint)result.Value;
        }

        return result;
    }

    // Spares the kernel the look-up of the descriptor at every call (5.18). Where it is refused, the plain number works as well.
    private void UseRegisteredDescriptor()
    {
        var update = new ResourceUpdate { Offset = uint.MaxValue, Payload = (ulong)Descriptor };
        CallResult result = RingCalls.Register(Descriptor, RegisterOperation.RingDescriptors, &update, 1);
        if (result.Value == 1)
        {
            _enterDescriptor = (int)update.Offset;
            _enterFlags = RegisteredRing;
        }
    }

    private sealed class RingDescriptor : SafeHandle
    {
        public RingDescriptor(int fd)
            : base(-1, ownsHandle: true) => SetHandle(fd);

        public override bool IsInvalid => handle < 0;

        public int Number => (int)handle;

        protected override bool ReleaseHandle() => LibC.Close((int)handle) == 0;
    }
}
