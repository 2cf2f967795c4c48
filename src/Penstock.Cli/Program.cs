using Penstock.Cli;
using Penstock.Cli.Output;

return await CommandLine.RunAsync(args, Terminal.OfProcess());
