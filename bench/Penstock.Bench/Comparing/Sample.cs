namespace Penstock.Bench.Comparing;

/// <summary>One side of a pair, measured once.</summary>
/// <param name="Rate">Operations a second.</param>
/// <param name="ProcessorMicroseconds">Processor time for each operation of the process, or of a mount's server and the program that uses it; kernel threads are not in it.</param>
/// <param name="AllocatedBytes">Managed bytes for each operation; null where nobody counts them.</param>
/// <param name="Latency">Microseconds at p50, p99, p99.9; empty where nobody looks.</param>
internal sealed record Sample(double Rate, double ProcessorMicroseconds, double? AllocatedBytes, double[] Latency)
{
    /// <summary>How many there were; 0 where nobody needs to know.</summary>
    public long Operations { get; init; }
}
