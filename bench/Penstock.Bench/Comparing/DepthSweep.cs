namespace Penstock.Bench.Comparing;

/// <summary>Direct random reads at growing depths, ours and fio's in turn: for the charts of throughput and latency.</summary>
internal static class DepthSweep
{
    public static async Task RunAsync(Place place, CompareReport report)
    {
        foreach (int depth in new[] { 1, 2, 4, 8, 16, 32, 64, 128 })
        {
            Sample ours = await PenstockBench.RunAsync(place, place.File, $"--rw randread --bs 4k --depth {depth} --direct");
            Sample theirs = await Fio.RunAsync(
                place, place.Image, $"--rw=randread --bs=4k --iodepth={depth} --direct=1 --offset={place.Piece.Offset} --size={place.Piece.Length}");
            report.AddDepth(depth, ours, theirs);
        }
    }
}
