using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>Content of files through the kernel: buffered, direct, mapped, and all at once.</summary>
public sealed class MountedFilesTests
{
    [FuseFact]
    public async Task What_is_written_is_read_in_every_mode()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("head -c 5000000 /dev/urandom > ../$$.data; cp ../$$.data a; cmp ../$$.data a; dd if=a of=b bs=1M iflag=direct status=none; cmp ../$$.data b; rm ../$$.data");
        mounted.Run("dd if=a of=c bs=64K count=64 oflag=direct status=none && cmp -n 4194304 a c");
        Assert.Equal("5000000 4194304\n", mounted.Run("stat -c %s a c | tr '\\n' ' ' | sed 's/ $/\\n/'"));
    }

    [FuseFact]
    public async Task Direct_and_buffered_writers_see_each_other()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("""
            cat > ../mixed.py <<'PY'
            import os, mmap
            b = os.open('f', os.O_RDWR | os.O_CREAT)
            d = os.open('f', os.O_RDWR | os.O_DIRECT)
            m = mmap.mmap(-1, 8192)
            for i in range(200):
                m[:] = bytes([i]) * 8192
                os.pwritev(d, [m], 0)
                assert os.pread(b, 8192, 0) == bytes([i]) * 8192
                os.pwrite(b, bytes([255 - i]) * 5000, 100)
                os.preadv(d, [m], 0)
                assert m[:] == bytes([i]) * 100 + bytes([255 - i]) * 5000 + bytes([i]) * 3092
            PY
            python3 ../mixed.py; rm ../mixed.py
            """);
    }

    [FuseFact]
    public async Task A_file_that_is_open_for_direct_io_can_be_mapped()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("""
            cat > ../map.py <<'PY'
            import os, mmap
            d = os.open('f', os.O_RDWR | os.O_CREAT | os.O_DIRECT)
            os.ftruncate(d, 16384)
            shared = mmap.mmap(d, 16384)
            shared[4096:4100] = b'here'
            shared.flush()
            m = mmap.mmap(-1, 4096)
            os.preadv(d, [m], 4096)
            assert m[:4] == b'here' and m[4:] == bytes(4092)
            m[:4] = b'next'
            os.pwritev(d, [m], 8192)
            assert shared[8192:8196] == b'next'
            PY
            python3 ../map.py; rm ../map.py
            """);
    }

    [FuseFact]
    public async Task A_direct_request_with_a_bad_offset_or_length_changes_nothing()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("printf 0123456789 > f");
        mounted.Run("""
            cat > ../bad.py <<'PY'
            import os, mmap, errno
            d = os.open('f', os.O_RDWR | os.O_DIRECT)
            m = mmap.mmap(-1, 4096)
            for call in (lambda: os.pwritev(d, [m], 100), lambda: os.pwrite(d, b'x' * 100, 0), lambda: os.preadv(d, [m], 7)):
                try:
                    call()
                    raise SystemExit('accepted')
                except OSError as e:
                    assert e.errno == errno.EINVAL, e
            PY
            python3 ../bad.py; rm ../bad.py
            """);
        Assert.Equal("0123456789", mounted.Run("cat f"));
    }

    [FuseFact]
    public async Task Appending_truncating_and_unlinked_files_work()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("for i in 1 2 3 4 5 6 7 8; do (for j in $(seq 50); do echo line >> f; done) & done; wait");
        Assert.Equal("400 2000\n", mounted.Run("echo $(sort f | uniq -c | awk '{print $1}') $(stat -c %s f)"));
        mounted.Run("truncate -s 10 f && truncate -s 20 f && test \"$(tail -c 10 f | od -An -tx1 | tr -d ' \\n')\" = 00000000000000000000");
        mounted.Run("exec 5<>f; rm f; echo more >&5; test $(stat -Lc %s /proc/self/fd/5) -ge 5; exec 5>&-");
        Assert.Equal("", mounted.Run("ls"));
        Assert.True(SpinWait.SpinUntil(() => mounted.Tree.NodeCount == 1, TimeSpan.FromSeconds(20)));
        mounted.Run("echo old > g && echo new > g");
        Assert.Equal("new\n", mounted.Run("cat g"));
    }

    [FuseFact]
    public async Task Privileges_go_with_a_write_and_with_a_truncate()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        const string As = "setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all --bounding-set=-all";
        mounted.Run("chmod 777 . && for f in a b c d e f; do head -c 8192 /dev/zero > $f; chmod 6777 $f; done");
        mounted.Run($"{As} sh -c 'echo y >> a' && {As} truncate -s 0 b && {As} dd if=/dev/zero of=c bs=4k count=1 oflag=direct conv=notrunc status=none");

        // Who has CAP_FSETID keeps them, as on every file system of Linux.
        mounted.Run("echo y >> d && truncate -s 0 e && dd if=/dev/zero of=f bs=4k count=1 oflag=direct conv=notrunc status=none");
        Assert.Equal("777\n777\n777\n6777\n6777\n6777\n", mounted.Run("stat -c %a a b c d e f"));
    }

    [FuseFact]
    public async Task Fio_verifies_what_it_wrote_buffered_and_direct_at_once()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("""
            fio --minimal --verify=crc32c --size=4m --bsrange=4k-64k --rw=randrw --ioengine=io_uring --iodepth=16 --verify_fatal=1 \
              --name=direct --direct=1 --filename=d --name=buffered --direct=0 --filename=b --name=sync --ioengine=psync --direct=1 --filename=s
            """);
    }

    [FuseFact]
    public async Task Ranges_are_allocated_punched_zeroed_and_found()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Run("fallocate -l 1M a && test $(stat -c '%s %b' a | tr ' ' ,) = 1048576,2048");
        mounted.Run("fallocate -n -o 1M -l 1M a && test $(stat -c %s a) = 1048576");
        mounted.Run("yes | head -c 65536 > b && fallocate -p -o 4096 -l 8192 b && fallocate -z -o 20480 -l 4096 b");
        mounted.Run("""
            cat > ../seek.py <<'PY'
            import os
            f = os.open('b', os.O_RDWR)
            d = os.pread(f, 65536, 0)
            y = b'y\n' * 2048
            assert d == y + bytes(8192) + y * 2 + bytes(4096) + y * 10, [i for i in range(16) if d[i*4096:i*4096+4096] != y]
            assert os.lseek(f, 0, os.SEEK_HOLE) == 4096
            assert os.lseek(f, 4096, os.SEEK_DATA) == 12288
            assert os.lseek(f, 30000, os.SEEK_HOLE) == 65536
            try:
                os.lseek(f, 65536, os.SEEK_DATA)
                raise SystemExit('no ENXIO')
            except OSError as e:
                assert e.errno == 6
            g = os.open('g', os.O_RDWR | os.O_CREAT)
            assert os.copy_file_range(f, g, 50000, 10, 20) == 50000
            assert os.pread(g, 60000, 0) == bytes(20) + d[10:50010]
            PY
            python3 ../seek.py
            """);
        mounted.Fails("fallocate -c -o 0 -l 4096 b", "Operation not supported");
    }

    [FuseFact]
    public async Task A_removed_file_makes_room_for_the_next_at_once()
    {
        await using MountedTree mounted = await MountedTree.StartAsync();
        mounted.Fails("dd if=/dev/zero of=full bs=1M", "No space left on device");
        for (int round = 0; round < 5; round++)
        {
            mounted.Run("rm full && dd if=/dev/zero of=full bs=1M count=50 status=none");
            mounted.Run("rm full && dd if=/dev/zero of=full bs=1M count=50 oflag=direct status=none");
            mounted.Run("truncate -s 0 full && fallocate -l 50M full");
        }
    }
}
