namespace Penstock.Uring;

/// <summary>The memory that a ring shares with the kernel: the two queues in one mapping, the submission entries in another.</summary>
internal sealed unsafe class RingMapping : IDisposable
{
    private const int ReadWrite = 3;
    private const int SharedAndPopulated = 0x8001;
    private const long QueuesOffset = 0;
    private const long EntriesOffset = 0x10000000;

    private readonly nuint _queuesLength;
    private readonly nuint _entriesLength;
    private byte* _queues;
    private byte* _entries;

    public RingMapping(int ring, in RingParameters parameters)
    {
        _queuesLength = Math.Max(
            parameters.Submission.Array + (parameters.SubmissionEntries * sizeof(uint)),
            parameters.Completion.Entries + (parameters.CompletionEntries * (uint)sizeof(Completion)));
        bool isWide = parameters.Flags.HasFlag(RingFlags.WideEntries);
        _entriesLength = parameters.SubmissionEntries * (nuint)sizeof(SubmissionEntry) * (isWide ? 2u : 1u);
        _queues = Map(_queuesLength, ring, QueuesOffset);
        try
        {
            _entries = Map(_entriesLength, ring, EntriesOffset);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public byte* Entries => _entries;

    public uint* Field(uint offset) => (uint*)(_queues + offset);

    public void Dispose()
    {
        if (_queues != null)
        {
            _ = LibC.UnmapMemory(_queues, _queuesLength);
            _queues = null;
        }

        if (_entries != null)
        {
            _ = LibC.UnmapMemory(_entries, _entriesLength);
            _entries = null;
        }
    }

    private static byte* Map(nuint length, int ring, long offset)
    {
        void* address = LibC.MapMemory(null, length, ReadWrite, SharedAndPopulated, ring, offset);
        if ((nint)address == -1)
        {
            throw RingUnavailableException.ForSetup(CallResult.FromLibrary(-1).Error);
        }

        return (byte*)address;
    }
}
