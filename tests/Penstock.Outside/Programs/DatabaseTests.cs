using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Databases: they sync, lock, map memory and check themselves.</summary>
public sealed class DatabaseTests
{
    private const string Fill = """
        PRAGMA journal_mode=MODE; PRAGMA synchronous=FULL; PRAGMA mmap_size=MMAP; PRAGMA wal_autocheckpoint=100;
        CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v BLOB); CREATE INDEX tk ON t(k);
        WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < 20000) INSERT INTO t SELECT n, hex(n * 7919 % 20011), zeroblob(n % 500) FROM c;
        UPDATE t SET v = zeroblob(length(v) * 2) WHERE id % 5 = 0;
        DELETE FROM t WHERE id % 7 = 0;
        """;

    [Theory]
    [InlineData("wal", 0, "ours -t ext4")]
    [InlineData("wal", 268435456, "mkfs.ext4")]
    [InlineData("delete", 0, "mkfs.ext4")]
    [InlineData("truncate", 268435456, "mkfs.ext4 -b 1024")]
    public void Sqlite(string mode, int mmap, string making)
    {
        Needs.Tools("sqlite3");
        MountedVolume.Use(making, v =>
        {
            string fill = Fill.Replace("MODE", mode, StringComparison.Ordinal).Replace("MMAP", $"{mmap}", StringComparison.Ordinal);
            File.WriteAllText(v.Aside("fill.sql"), fill);
            v.Run($"sqlite3 t.db < '{v.Aside("fill.sql")}'");
            v.Run("""
                for w in 1 2 3; do
                  (for i in $(seq 1 30); do sqlite3 -cmd '.timeout 60000' t.db "BEGIN IMMEDIATE; INSERT INTO t(k, v) VALUES('writer $w', randomblob(3000)); UPDATE t SET k = k || '.' WHERE id = $i; COMMIT;"; done) &
                done
                for job in $(jobs -p); do wait $job; done
                """);
            const string Sum = "sqlite3 t.db 'PRAGMA integrity_check; SELECT count(*), sum(length(v)), sum(length(k)) FROM t;'";
            string before = v.Run(Sum);
            Assert.StartsWith("ok\n", before);
            v.Run("sqlite3 t.db 'VACUUM;'");
            v.Remount();
            Assert.Equal(before, v.Run(Sum));
        });
    }

    [Fact]
    public void Postgresql()
    {
        Needs.Tools("runuser");
        string[] homes = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        Assert.SkipUnless(homes.Length > 0, "no PostgreSQL here");
        string bin = Path.Combine(homes.Max()!, "bin");
        Assert.SkipUnless(File.Exists(Path.Combine(bin, "initdb")) && File.ReadAllText("/etc/passwd").Contains("\npostgres:", StringComparison.Ordinal), "no PostgreSQL here");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            string socket = v.Aside("socket");
            v.Run($"""
                mkdir pg '{socket}'; chown postgres pg '{socket}'; chmod 700 pg
                as() (cd / && runuser -u postgres -- "$@")
                as {bin}/initdb -D "$PWD/pg" --data-checksums -A trust > /dev/null
                as {bin}/pg_ctl -D "$PWD/pg" -w -o "-c listen_addresses= -c unix_socket_directories={socket} -c shared_buffers=16MB" -l "$PWD/pg/log" start > /dev/null
                trap 'cd /; as {bin}/pg_ctl -D "{v.Root}/pg" -w -m immediate stop > /dev/null || true' EXIT
                as {bin}/pgbench -h '{socket}' -i -s 3 -q postgres 2> /dev/null
                as {bin}/pgbench -h '{socket}' -c 4 -j 2 -t 250 postgres
                as {bin}/psql -h '{socket}' -c 'CHECKPOINT' postgres
                as {bin}/pg_ctl -D "$PWD/pg" -w -m fast stop > /dev/null
                trap - EXIT
                as {bin}/pg_checksums -D "$PWD/pg"
                """, 240);
            v.Remount();
            v.Run($"cd / && runuser -u postgres -- {bin}/pg_checksums -D '{v.Root}/pg'");
        });
    }
}
