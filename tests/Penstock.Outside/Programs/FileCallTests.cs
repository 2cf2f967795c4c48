using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>The calls that only some programs make: locks, flags, attributes, ranges, unnamed files.</summary>
public sealed class FileCallTests
{
    /// <summary>tar and cp take a file that has a size and no blocks for one hole, and would lose what was just written to it.</summary>
    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -O inline_data")]
    [InlineData("mkfs.ext4 -O inline_data,bigalloc -C 16384")]
    [InlineData("mkfs.ext4 -t ext2 -b 1024")]
    public void What_was_just_written_has_blocks(string making) => MountedVolume.Use(making, v =>
    {
        v.Run("""
            echo small > small; test $(stat -c %b small) -gt 0; head -c 300000 /dev/urandom > large; test $(stat -c %b large) -ge 586
            tar -S -cf ../new.tar small large; mkdir ../new; tar -xf ../new.tar -C ../new; cmp small ../new/small; cmp large ../new/large
            truncate -s 1m hole; test $(stat -c %b hole) = 0; : > empty; test $(stat -c %b empty) = 0
            for i in $(seq 1 50); do dd if=/dev/urandom of=scattered bs=1k seek=$((i * 37 % 200)) count=5 conv=notrunc status=none; done
            truncate -s 150001 scattered; fallocate -p -o 20000 -l 50000 scattered || true; head -c 100000 /dev/urandom > gone; truncate -s 0 gone; test $(stat -c %b gone) = 0
            sync small large scattered; chmod 600 *; stat -c '%n %b' small large scattered hole empty gone > ../before
            """);
        v.Remount();
        v.Run("stat -c '%n %b' small large scattered hole empty gone | diff ../before -");
    });

    [Fact]
    public void Locks_of_both_kinds_exclude() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("flock", "python3");
        v.Run("""
            : > f; exec 9<> f; flock 9
            refused flock -n f true
            flock -u 9; flock -n f true
            python3 - <<'PY'
            import fcntl, os, sys
            f = open("f", "r+"); fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
            if os.fork() == 0:
                g = open("f", "r+")
                try: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 7); os._exit(1)
                except BlockingIOError: pass
                fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 20); os._exit(0)
            sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
            PY
            """);
    });

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -I 128")]
    [InlineData("mkfs.ext4 -O ea_inode")]
    public void Extended_attributes_and_acls(string making) => MountedVolume.Use(making, v =>
    {
        Needs.Tools("setfattr", "setfacl");
        const string Show = "getfattr -d -m - -e hex f dir; getfacl -n f dir";
        string before = v.Run($"""
            : > f; mkdir dir
            for i in $(seq 1 20); do setfattr -n user.name-$i -v "value $i" f; done
            setfattr -n trusted.t -v 0x00ff01 f; setfattr -n security.s -v x f; setfattr -n user.empty f
            setfattr -n user.name-3 -v "$(head -c 500 /dev/zero | tr '\0' z)" f; setfattr -x user.name-5 f
            refused setfattr -x user.name-5 f 2> /dev/null
            setfacl -m u:1000:rwx,g:2000:r-x,m::r-x f; setfacl -d -m u:3000:rw dir; : > dir/child; getfacl -n dir/child | grep -q user:3000:rw
            {Show}
            """);
        Assert.Contains("name-3", before, StringComparison.Ordinal);
        Assert.DoesNotContain("name-5=", before, StringComparison.Ordinal);
        (int code, string output) = v.TryRun("setfattr -n user.huge -v \"$(head -c 70000 /dev/zero | tr '\\0' z)\" f");
        Assert.True(code != 0, output);
        v.Remount();
        Assert.Equal(before, v.Run(Show));
        v.Run("for i in 1 2 3 4 6 7; do setfattr -x user.name-$i f; done; setfacl -b f; rm -r f dir");
    });

    [Fact]
    public void Inode_flags_are_kept_and_enforced() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("chattr", "lsattr");
        v.Run("""
            echo a > immutable; echo a > append; mkdir dir; chattr +i immutable; chattr +a append; chattr +dA dir
            lsattr | grep -q -- '-i-.*immutable'; lsattr | grep -q -- '-a-.*append'
            write() { (echo b > $1) 2> /dev/null; }; refused write immutable; refused rm -f immutable; refused ln immutable other; refused chmod 600 immutable; refused mv immutable x
            refused write append; echo b >> append; refused truncate -s 0 append; refused rm -f append
            test "$(cat append)" = $'a\nb'; test "$(cat immutable)" = a
            """);
        v.Remount();
        v.Run("refused rm -f immutable; chattr -i immutable; chattr -a append; rm immutable append; lsattr -d dir | grep -q d");
    });

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("ours -t ext4")]
    public void Ranges(string making) => MountedVolume.Use(making, v =>
    {
        Needs.Tools("xfs_io", "fallocate");
        v.Run("""
            head -c 1000000 /dev/urandom > f; cp f ../twin
            fallocate -p -o 100000 -l 300000 f; dd if=/dev/zero of=../twin bs=1000 seek=100 count=300 conv=notrunc status=none; cmp f ../twin
            xfs_io -c 'fzero 500001 123456' f; dd if=/dev/zero of=../twin bs=1 seek=500001 count=123456 conv=notrunc status=none; cmp f ../twin
            fallocate -z -o 900000 -l 200000 f; truncate -s 900000 ../twin; truncate -s 1100000 ../twin; cmp f ../twin
            xfs_io -c 'falloc -k 1100000 1000000' f; test $(stat -c %s f) = 1100000; test $(stat -c %b f) -gt 3000
            xfs_io -c 'falloc 0 2000000' f; test $(stat -c %s f) = 2000000; truncate -s 2000000 ../twin; cmp f ../twin
            fallocate -p -o 0 -l 2000000 f; cmp f <(head -c 2000000 /dev/zero)
            truncate -s 0 f; test $(stat -c %b f) = 0
            """, 100);
    });

    [Fact]
    public void Holes_are_found() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("xfs_io");
        v.Run("truncate -s 1m f; dd if=/dev/urandom of=f bs=64k seek=4 count=1 conv=notrunc,fsync status=none");
        Assert.Contains("DATA\t262144", v.Run("xfs_io -r -c 'seek -d 0' f"), StringComparison.Ordinal);
        Assert.Contains("HOLE\t327680", v.Run("xfs_io -r -c 'seek -h 262144' f"), StringComparison.Ordinal);
        Assert.Contains("HOLE\t0", v.Run("xfs_io -r -c 'seek -h 0' f"), StringComparison.Ordinal);
    });

    [Fact]
    public void Collapse_insert_and_fiemap_are_refused_by_the_kernel_or_right() => MountedVolume.Use("mkfs.ext4", v => v.Run("""
        head -c 65536 /dev/urandom > f; cp f ../twin
        if fallocate -c -o 4096 -l 8192 f 2> /dev/null; then cat <(head -c 4096 ../twin) <(tail -c +12289 ../twin) | cmp - f; else cmp f ../twin; fi
        filefrag -v f > /dev/null 2>&1 || true
        """));

    [Fact]
    public void Unnamed_files_are_made_and_linked_or_refused_cleanly() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            python3 - <<'PY'
            import ctypes, errno, os
            try: f = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
            except OSError as e:
                assert e.errno in (errno.EOPNOTSUPP, errno.EISDIR), e
                raise SystemExit(0)
            os.write(f, b"unnamed"); assert ctypes.CDLL(None).linkat(-100, f"/proc/self/fd/{f}".encode(), -100, b"named", 0x400) == 0; os.close(f)
            assert open("named").read() == "unnamed"
            g = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600); os.write(g, b"x" * 100000)
            PY
            """);
    });

    [Fact]
    public void Copies_within_the_volume() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("xfs_io");
        v.Run("head -c 3000000 /dev/urandom > a; cp a b; cmp a b; xfs_io -f -c 'copy_range -s 1000 -d 0 -l 2000000 a' c; cmp c <(tail -c +1001 a | head -c 2000000)");
    });

    [Fact]
    public void A_write_clears_setuid_and_capabilities() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("setpriv", "setcap");
        v.Run("""
            chmod 777 .; echo x > f; chown 1000:1000 f; chmod 6777 f
            setpriv --reuid 1001 --regid 1001 --clear-groups sh -c 'echo y >> f'; test "$(stat -c %a f)" = 777
            chmod 6777 f; head -c 4096 /dev/zero > ../page; chmod 644 ../page
            setpriv --reuid 1001 --regid 1001 --clear-groups dd if=../page of=f bs=4k oflag=direct conv=notrunc status=none; test "$(stat -c %a f)" = 777
            cp /bin/true g; setcap cap_net_raw+ep g; getcap g | grep -q net_raw; echo >> g; test -z "$(getcap g)"
            """);
    });

    [Fact]
    public void Times_past_2038_and_birth() => MountedVolume.Use("mkfs.ext4", v =>
    {
        string before = v.Run("touch -d '2200-05-06 07:08:09.123456789' f; touch -d '1910-01-01 00:00:00.5' g; stat -c '%n %.9Y %.9X %.9W' f g");
        Assert.Contains("7268944089.123456789", v.Run("TZ=UTC touch -d '2200-05-06 07:08:09.123456789' h; stat -c %.9Y h"), StringComparison.Ordinal);
        v.Remount();
        Assert.Equal(before, v.Run("stat -c '%n %.9Y %.9X %.9W' f g"));
        Assert.DoesNotContain(" 0\n", v.Run("stat -c '%n %W' f"), StringComparison.Ordinal);
    });
}
