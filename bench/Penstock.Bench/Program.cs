using Penstock;
using Penstock.Bench;
using Penstock.Bench.Bare;
using Penstock.Bench.Comparing;
using Penstock.Bench.Parts;

return args switch
{
    ["device", var path, ..] => await DeviceReads.RunAsync(path, args.Length > 2 ? int.Parse(args[2]) : 32, args.Contains("--registered")),
    ["file", var image, var path, ..] => await FileReads.RunAsync(
        image, path, args.Length > 3 ? int.Parse(args[3]) : 32, args.Length > 4 ? double.Parse(args[4]) : 5,
        args.Contains("--inline") ? IoOptions.ContinueOnReapingThread : IoOptions.None),
    ["check", var image] => await VolumeChecks.RunAsync(image),
    ["bare", "--ring", var image, var folder] => await BareServer.RunAsync(folder, image),
    ["bare", var folder] => await BareServer.RunAsync(folder, null),
    ["open", var other, var image] => await LimitProbes.OpenAsync(other, image),
    ["fill", var image, var length, var budget] => await LimitProbes.FillAsync(image, long.Parse(length), long.Parse(budget)),
    ["parts", .. var options] => PartsRun.Run(options),
    ["compare", .. var options] => await Comparison.RunAsync(options),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        "usage: Penstock.Bench device FILE [DEPTH] [--arena]\n       Penstock.Bench file IMAGE PATH [DEPTH] [SECONDS] [--inline]\n"
        + "       Penstock.Bench check IMAGE\n       Penstock.Bench parts [BENCHMARKDOTNET OPTIONS]\n       bench/compare [OPTIONS]");
    return 2;
}
