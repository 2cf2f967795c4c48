namespace Penstock.Uring;

/// <summary>The three system calls of io_uring; the numbers are the same on every architecture.</summary>
internal static unsafe class RingCalls
{
    private const int SetupNumber = 425;
    private const int EnterNumber = 426;
    private const int RegisterNumber = 427;

    public static CallResult Setup(uint entries, RingParameters* parameters) =>
        CallResult.FromLibrary(LibC.SystemCall(SetupNumber, (nint)entries, (nint)parameters, 0, 0, 0, 0));

    public static CallResult Enter(int ring, uint toSubmit, uint minimum, uint flags, void* argument, nuint argumentLength) =>
        CallResult.FromLibrary(
            LibC.SystemCall(EnterNumber, ring, (nint)toSubmit, (nint)minimum, (nint)flags, (nint)argument, (nint)argumentLength));

    public static CallResult Register(int ring, RegisterOperation operation, void* argument, uint count) =>
        CallResult.FromLibrary(LibC.SystemCall(RegisterNumber, ring, (nint)(uint)operation, (nint)argument, (nint)count, 0, 0));
}

/// <summary>IORING_REGISTER_* and IORING_UNREGISTER_*.</summary>
internal enum RegisterOperation : uint
{
    Buffers = 0,
    UnregisterBuffers = 1,
    Files = 2,
    UnregisterFiles = 3,
    EnableRing = 12,
    BufferTable = 15,
    UpdateBuffers = 16,
    RingDescriptors = 20,
    UnregisterRingDescriptors = 21,
}
