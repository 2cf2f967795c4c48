using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Files and directories that we make in their inodes (inline_data), read and written on by the kernel, and the other way round.</summary>
public sealed class InlineDataTests
{
    private const string Fill = """
        mkdir small large nested; mkdir -p nested/a/b/c
        for n in 0 1 59 60 61 100 127 128 129 150 151 152 153 200 1000 5000; do head -c $n /dev/urandom > small/f$n; done
        for i in $(seq 1 6); do : > nested/a/f$i; done; for i in $(seq 1 60); do echo $i > large/entry-$i; done
        echo begin > grows; for i in $(seq 1 40); do echo line $i >> grows; done
        head -c 100 /dev/urandom > cut; truncate -s 70 cut; truncate -s 130 cut; head -c 90 /dev/urandom > zeroed; truncate -s 0 zeroed; echo again > zeroed
        head -c 120 /dev/urandom > noted; setfattr -n user.note -v "$(head -c 60 /dev/zero | tr '\0' n)" noted; head -c 50 /dev/urandom > noted2; setfattr -n user.a -v b noted2; head -c 110 /dev/urandom >> noted2
        head -c 40 /dev/urandom > reserved; fallocate -l 5000 reserved; head -c 40 /dev/urandom > punched; fallocate -p -o 5 -l 10 punched
        python3 -c "
        import mmap
        f = open('mapped', 'w+b'); f.write(b'x' * 80); f.flush()
        m = mmap.mmap(f.fileno(), 80); m[10:20] = b'y' * 10; m.flush()"
        dd if=/dev/urandom of=direct bs=4k count=1 oflag=direct status=none
        mv nested/a/b nested/moved; ln small/f60 hard; ln -s small/f61 soft
        """;

    private const string Sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -printf '%p %y %n %s\\n' | grep -v ' d ' | sort; getfattr -R -d . | sort";

    [Theory]
    [InlineData("mkfs.ext4 -O inline_data")]
    [InlineData("mkfs.ext4 -O inline_data -b 1024 -I 512")]
    [InlineData("mkfs.ext4 -O inline_data,bigalloc -C 16384")]
    [InlineData("ours -O inline_data,^has_journal")]
    public void Made_by_us_and_changed_by_the_kernel_and_us_again(string making)
    {
        Needs.LoopMounts();
        Needs.Tools("python3", "setfattr");
        MountedVolume.Use(making, v =>
        {
            v.Run(Fill);
            string before = v.Run(Sums);
            v.Remount();
            Assert.Equal(before, v.Run(Sums));
            v.Unmount();
            Assert.Contains("0x10000000", Script.Run("/", $"debugfs -R 'stat small/f60' '{v.Image}' 2> /dev/null"), StringComparison.Ordinal);
            Assert.Contains("0x10000000", Script.Run("/", $"debugfs -R 'stat nested/a' '{v.Image}' 2> /dev/null"), StringComparison.Ordinal);
            v.MountByKernel();
            Assert.Equal(before, v.Run(Sums));
            v.Run("for f in small/*; do echo kernel >> $f; done; : > nested/a/by-kernel; rm nested/a/f3; mkdir theirs; echo theirs > theirs/f; rm large/entry-1?");
            before = v.Run(Sums);
            v.UnmountByKernel();
            v.Judge();
            v.Mount();
            Assert.Equal(before, v.Run(Sums));
            v.Run("for f in small/*; do echo ours >> $f; truncate -s 65 $f; done; for i in $(seq 1 30); do : > theirs/more$i; done; rm theirs/more2?; rm nested/a/*; rmdir nested/a; mv theirs/f nested/moved/g");
            before = v.Run(Sums);
            v.Unmount();
            v.Judge();
            v.MountByKernel("loop,ro");
            Assert.Equal(before, v.Run(Sums));
            v.UnmountByKernel();
            v.Mount();
            v.Run("rm -r small large nested theirs");
        });
    }

    [Fact]
    public void What_cannot_leave_its_inode_stays_there() => MountedVolume.Use(
        "mkfs.ext4 -O inline_data -b 1024 -N 256",
        v =>
        {
            v.Run("""
                mkdir d; : > d/first; echo small > small; echo other > other; cat /dev/zero > fill 2> /dev/null || true; sync
                more() { (head -c 3000 /dev/zero >> $1) 2> /dev/null; }; refused more small; refused dd if=/dev/zero of=other bs=1k count=9 conv=notrunc status=none
                for i in $(seq 1 60); do (: > d/a-name-of-some-length-$i) 2> /dev/null || break; done; ls d > ../names; test -e d/first
                test "$(head -c 6 small)" = small
                """);
            v.Remount();
            v.Run("ls d | cmp - ../names; test \"$(head -c 6 small)\" = small; rm fill; head -c 3000 /dev/zero >> small; for i in $(seq 1 60); do : > d/a-name-of-some-length-$i; done; test $(ls d | wc -l) = 61");
        },
        "8M");
}
