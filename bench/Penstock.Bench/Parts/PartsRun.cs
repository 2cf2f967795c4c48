using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Penstock.Bench.Parts;

/// <summary>Runs <see cref="InnerParts"/> in this process.</summary>
internal static class PartsRun
{
    public static int Run(string[] arguments)
    {
        IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(5), logOutput: false)))
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "penstock-parts"));
        BenchmarkSwitcher.FromTypes([typeof(InnerParts)]).Run(arguments.Length == 0 ? ["--filter", "*"] : arguments, config);
        return 0;
    }
}
