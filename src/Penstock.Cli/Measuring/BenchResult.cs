using HdrHistogram;

namespace Penstock.Cli.Measuring;

/// <summary>What a measurement found.</summary>
/// <param name="latencies">Of each request, in nanoseconds.</param>
/// <param name="seconds">How long it ran.</param>
/// <param name="processorMicroseconds">The processor time of the process, in user and kernel mode, meanwhile.</param>
/// <param name="allocatedBytes">What it allocated on the managed heap meanwhile, its start and end included.</param>
internal sealed class BenchResult(LongHistogram latencies, double seconds, double processorMicroseconds, long allocatedBytes)
{
    public long Operations => latencies.TotalCount;

    public double Seconds => seconds;

    public double OperationsPerSecond => Operations / seconds;

    public double ProcessorPerOperation => processorMicroseconds / Operations;

    /// <summary>Less than a byte is what the measurement itself takes, spread over its requests.</summary>
    public double AllocatedPerOperation => allocatedBytes / (double)Operations;

    public double MaximumLatency => latencies.GetMaxValue() / 1000.0;

    /// <summary>In microseconds.</summary>
    public double LatencyAt(double percentile) => latencies.GetValueAtPercentile(percentile) / 1000.0;
}
