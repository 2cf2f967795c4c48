using Penstock.Bench;

return args switch
{
    ["device", var path, ..] => await DeviceReads.RunAsync(path, args.Length > 2 ? int.Parse(args[2]) : 32, args.Contains("--arena")),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: Penstock.Bench device FILE [DEPTH] [--arena]");
    return 2;
}
