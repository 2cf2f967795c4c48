using System.Globalization;
using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>
/// PostgreSQL on a mount whose process is killed while pgbench runs: after recovery, ours and then its own, no commit that a client was told of is missing, and its
/// checks of tables, indexes and checksums find nothing.
/// </summary>
public sealed class PostgresKillTests
{
    private const int Clients = 3;

    private static readonly int s_rounds = Environment.GetEnvironmentVariable("PENSTOCK_LONG") == "1" ? 20 : 2;

    [Fact]
    public void Commits_that_were_acknowledged_survive_a_kill()
    {
        Assert.SkipWhen(MountedVolume.IsKernel, "the kernel cannot be killed");
        Needs.Tools("runuser");
        string[] homes = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        Assert.SkipUnless(homes.Length > 0, "no PostgreSQL here");
        string bin = Path.Combine(homes.Max()!, "bin");
        Assert.SkipUnless(File.Exists(Path.Combine(bin, "initdb")) && File.Exists(Path.Combine(bin, "pg_amcheck")), "no PostgreSQL with pg_amcheck here");
        var random = new Random(5);
        MountedVolume.Use("mkfs.ext4", volume =>
        {
            var server = new Server(volume, bin);
            try
            {
                server.Make();
                for (int round = 0; round < s_rounds; round++)
                {
                    server.Start();
                    KillUnderLoad(volume, server, random.Next(50, 400), round);
                    volume.TakeAway();
                    volume.Mount();
                    server.Start();
                    server.Judge(round);
                    server.Stop();
                }
            }
            catch
            {
                server.KillServer();
                throw;
            }
        });
    }

    /// <summary>Clients write down each commit that they are told of, beside a pgbench; then the mount dies under all of them.</summary>
    private static void KillUnderLoad(MountedVolume volume, Server server, int acknowledgements, int round)
    {
        var load = new Task(() => server.TryRun($"""
            as $bin/pgbench -h '{server.Socket}' -c 2 -T 60 -n postgres > /dev/null 2>&1 & jobs=$!
            for c in $(seq {Clients}); do
              (seq -f "INSERT INTO kept VALUES ({round}, $c, %.0f, repeat('x', 300)) RETURNING n;" 1 1000000 | as $bin/psql -h '{server.Socket}' -v ON_ERROR_STOP=1 -qtA postgres > '{server.Acknowledged}-'$c 2> /dev/null) & jobs="$jobs $!"
            done
            wait $jobs || true
            """));
        load.Start();
        Assert.True(SpinWait.SpinUntil(() => server.CountAcknowledged() >= acknowledgements, TimeSpan.FromMinutes(1)), "the clients do not get on");
        volume.Kill();
        server.KillServer();
        Assert.True(load.Wait(TimeSpan.FromMinutes(1)), "a client hangs though the mount is dead");
    }

    private sealed class Server(MountedVolume volume, string bin)
    {
        public string Socket { get; } = volume.Aside("socket");

        public string Acknowledged { get; } = volume.Aside("acknowledged");

        private string Prelude => $"bin={bin}; data='{volume.Root}/pg'; as() (cd / && runuser -u postgres -- \"$@\"); ";

        public void Make() => Run($"""
            mkdir "$data" '{Socket}'; chown postgres "$data" '{Socket}'; chmod 700 "$data"
            as $bin/initdb -D "$data" --data-checksums -A trust > /dev/null
            """ + "\n" + StartScript + $"""

            as $bin/psql -q -h '{Socket}' -c 'CREATE TABLE kept(round int, client int, n int, filler text, PRIMARY KEY (round, client, n)); CREATE EXTENSION amcheck;' postgres
            as $bin/pgbench -h '{Socket}' -i -s 2 -q postgres 2> /dev/null
            """ + "\n" + StopScript);

        public void Start() => Run(StartScript);

        public void Stop() => Run(StopScript + "\nas $bin/pg_checksums -D \"$data\" > /dev/null");

        public int CountAcknowledged() => Enumerable.Range(1, Clients).Sum(c => File.Exists($"{Acknowledged}-{c}") ? File.ReadLines($"{Acknowledged}-{c}").Count() : 0);

        /// <summary>
        /// All of its processes, which are those that work in its folder: a backend that waits for a lock of one that is dead would do so for ever.
        /// </summary>
        public void KillServer() => TryRun("""
            for process in /proc/[0-9]*; do
              case "$(readlink $process/cwd)" in "$data"*) kill -9 ${process#/proc/} || true ;; esac
            done
            """);

        public void Judge(int round)
        {
            Run($"as $bin/pg_amcheck -h '{Socket}' --heapallindexed --rootdescend postgres");
            for (int client = 1; client <= Clients; client++)
            {
                string[] told = File.ReadAllText($"{Acknowledged}-{client}").Split('\n')[..^1];
                HashSet<string> there = [.. Run($"as $bin/psql -h '{Socket}' -qtA -c 'SELECT n FROM kept WHERE round = {round} AND client = {client}' postgres").Split('\n')];
                Assert.True(told.All(there.Contains), $"round {round}: of {told.Length} commits that client {client} was told of, {told.Count(n => !there.Contains(n))} are missing");
                File.Delete($"{Acknowledged}-{client}");
            }
        }

        /// <summary>A server that was killed leaves shared memory behind until its last process is gone: until then the next is refused.</summary>
        private string StartScript => $"""
            for i in $(seq 50); do
              if as $bin/pg_ctl -D "$data" -w -o "-c listen_addresses= -c unix_socket_directories={Socket} -c shared_buffers=16MB" -l "$data/log" start > /dev/null; then break; fi
              sleep 0.2
            done
            """;

        private static string StopScript => "as $bin/pg_ctl -D \"$data\" -w -m fast stop > /dev/null";

        public (int ExitCode, string Output) TryRun(string script) => Script.TryRun("/", Prelude + script, 90);

        private string Run(string script) => Script.Run("/", string.Create(CultureInfo.InvariantCulture, $"{Prelude}{script}"), 90);
    }
}
