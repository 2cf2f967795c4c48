using HdrHistogram;

namespace Penstock.Stress.AioStress;

/// <summary>What one stage measured.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Bytes">Bytes moved.</param>
/// <param name="Requests">Requests completed.</param>
/// <param name="Verified">Blocks compared.</param>
/// <param name="Elapsed">From the first request to the last completion.</param>
/// <param name="FlushElapsed">How long the fsync after it took; zero for reads.</param>
/// <param name="Latency">From submission to completion, in nanoseconds.</param>
internal sealed record StageResult(
    AioStage Stage, long Bytes, long Requests, long Verified, TimeSpan Elapsed, TimeSpan FlushElapsed, LongHistogram Latency)
{
    public double BytesPerSecond => Bytes / Math.Max((Elapsed + FlushElapsed).TotalSeconds, 1e-9);

    public double RequestsPerSecond => Requests / Math.Max(Elapsed.TotalSeconds, 1e-9);

    /// <summary>A percentile of the latency, in microseconds.</summary>
    public double Microseconds(double percentile) => Requests == 0 ? 0 : Latency.GetValueAtPercentile(percentile) / 1000.0;
}
