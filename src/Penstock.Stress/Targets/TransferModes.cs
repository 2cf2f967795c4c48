namespace Penstock.Stress.Targets;

/// <summary>How one transfer is to be done.</summary>
[Flags]
internal enum TransferModes
{
    /// <summary>Through the cache.</summary>
    Buffered = 0,

    /// <summary>O_DIRECT.</summary>
    Direct = 1,

    /// <summary>O_APPEND: to the end of the file, wherever that is.</summary>
    Append = 2,

    /// <summary>Durable when it completes: RWF_DSYNC; msync for a mapped write.</summary>
    DataSync = 4,
}

/// <summary>One read or write to be handed to a <see cref="TransferQueue"/>.</summary>
/// <param name="File">The file.</param>
/// <param name="IsWrite">Whether it writes.</param>
/// <param name="Memory">The memory, in pieces; it does not move and stays until the completion was taken.</param>
/// <param name="Offset">Where in the file, in bytes; an append ignores it.</param>
/// <param name="Modes">How.</param>
internal readonly record struct Transfer(
    StressFile File, bool IsWrite, IReadOnlyList<Memory<byte>> Memory, long Offset, TransferModes Modes);
