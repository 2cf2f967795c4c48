using Penstock.Stress.Targets;

namespace Penstock.Stress.AioStress;

/// <summary>One file of a run and what its blocks hold.</summary>
internal sealed class AioFile(StressFile file, int index, int blocks)
{
    public StressFile File { get; } = file;

    public int Index { get; } = index;

    public int Blocks { get; } = blocks;

    /// <summary>The pass that wrote each block last; 0: none did.</summary>
    public int[] Passes { get; } = new int[blocks];
}

/// <summary>A block that is not what was written, or a request that did not do what it was asked.</summary>
internal sealed class AioCorruptionException(string message) : Exception(message);
