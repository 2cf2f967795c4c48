using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Direct, buffered and mapped access to one file, by processes that know nothing of each other.</summary>
public sealed class CoherenceTests
{
    /// <summary>SEMANTICS 3.3: a returned direct write is seen by every later read; a returned buffered write by every later direct read.</summary>
    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -O ^extents,^64bit")]
    [InlineData("ours -t ext4")]
    public void What_one_writes_the_other_reads(string making) => MountedVolume.Use(making, v => v.Run("""
        head -c 1048576 /dev/urandom > /dev/shm/penstock-$$; data=/dev/shm/penstock-$$; trap "rm -f $data" EXIT
        for round in $(seq 1 12); do
          head -c 65536 /dev/urandom > $data
          at=$((RANDOM % 8))
          if [ $((round % 2)) = 0 ]; then w=direct r=; else w= r=direct; fi
          dd if=$data of=f bs=64k seek=$at conv=notrunc ${w:+oflag=direct} status=none
          dd if=f bs=64k skip=$at count=1 ${r:+iflag=direct} status=none | cmp - $data
          dd if=f bs=64k skip=$at count=1 status=none | cmp - $data
        done
        """));

    [Fact]
    public void Direct_appends_are_seen_by_buffered_readers_and_the_other_way_round() => MountedVolume.Use("mkfs.ext4", v => v.Run("""
        for i in $(seq 0 63); do
          head -c 4096 /dev/zero | tr '\0' "\\$(printf %o $((65 + i % 26)))" > page
          if [ $((i % 2)) = 0 ]; then dd if=page of=f bs=4k oflag=direct,append conv=notrunc status=none; else cat page >> f; fi
          test $(stat -c %s f) = $(((i + 1) * 4096))
          tail -c 4096 f | cmp - page
          dd if=f bs=4k skip=$i count=1 iflag=direct status=none | cmp - page
        done
        """));

    [Fact]
    public void Misaligned_direct_io_is_an_invalid_argument() => MountedVolume.Use("mkfs.ext4", v =>
    {
        v.Run("head -c 8192 /dev/zero > f");
        (int code, string output) = v.TryRun("dd if=/dev/zero of=f bs=100 count=1 oflag=direct conv=notrunc");
        Assert.True(code != 0 && output.Contains("Invalid argument", StringComparison.Ordinal), output);
        (code, output) = v.TryRun("xfs_io -d -c 'pwrite 100 512' f 2>&1; exit 0");
        Assert.Contains("Invalid argument", output, StringComparison.Ordinal);
        v.Run("cmp f <(head -c 8192 /dev/zero)");
    });

    [Fact]
    public void Readers_of_a_sparse_file_that_is_written_directly_see_zeros_or_the_data() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            cat > ../race.py <<'PY'
            import mmap, os, random, sys, threading
            SIZE = 8 << 20
            f = os.open("sparse", os.O_CREAT | os.O_RDWR); os.ftruncate(f, SIZE)
            d = os.open("sparse", os.O_RDWR | os.O_DIRECT)
            page = mmap.mmap(-1, 65536); page[:] = b"\x5a" * 65536
            bad = []; done = False
            def read():
                r = random.Random(1)
                while not done:
                    b = os.pread(f, 8192, r.randrange(SIZE))
                    if b.strip(b"\0\x5a"): bad.append(b)
            readers = [threading.Thread(target=read) for _ in range(2)]
            [t.start() for t in readers]
            order = list(range(0, SIZE, 65536)); random.Random(2).shuffle(order)
            for at in order: os.pwritev(d, [memoryview(page)[:4096 * (1 + at // 65536 % 16)]], at)
            done = True
            [t.join() for t in readers]
            sys.exit(1 if bad else 0)
            PY
            python3 ../race.py
            """);
    });

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    public void A_shared_mapping_is_written_back_and_read(string making) => MountedVolume.Use(making, v =>
    {
        Needs.Tools("python3");
        v.Run("""
            cat > ../map.py <<'PY'
            import mmap, os, random
            f = os.open("mapped", os.O_CREAT | os.O_RDWR); os.ftruncate(f, 4 << 20)
            m = mmap.mmap(f, 4 << 20); r = random.Random(3)
            for i in range(500):
                at = r.randrange((4 << 20) - 64); m[at:at + 64] = bytes([i & 255]) * 64
            m.flush(); copy = bytes(m)
            assert os.pread(f, 4 << 20, 0) == copy, "read differs from the mapping"
            os.pwrite(f, b"written" * 100, 100000); assert m[100000:100700] == b"written" * 100, "the mapping does not see a write"
            d = os.open("mapped", os.O_RDWR | os.O_DIRECT); page = mmap.mmap(-1, 4096); page[:] = b"D" * 4096
            os.pwritev(d, [page], 8192); assert m[8192:12288] == b"D" * 4096, "the mapping does not see a direct write"
            m.flush(); m.close(); os.close(f); os.close(d)
            PY
            python3 ../map.py; sha256sum mapped > ../sum
            """);
        v.Remount();
        v.Run("sha256sum -c ../sum");
    });

    /// <summary>
    /// SEMANTICS 4, a buffered read racing an asynchronous direct write. The kernel drops its pages before such a write and not afterwards: what it reads ahead
    /// meanwhile must not stay.
    /// </summary>
    [Fact]
    public void What_was_read_ahead_while_it_was_written_directly_and_asynchronously_is_not_kept() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Needs.Tools("python3");
        v.Run("""
            cat > ../ahead.py <<'PY'
            import ctypes, mmap, os, platform, struct, sys, threading
            if platform.machine() != "x86_64": sys.exit(0)
            libc = ctypes.CDLL(None, use_errno=True); libc.syscall.restype = ctypes.c_long
            IO_SETUP, IO_GETEVENTS, IO_SUBMIT, PWRITE = 206, 208, 209, 1
            def call(*a):
                r = libc.syscall(*a)
                if r < 0: raise OSError(ctypes.get_errno(), "aio")
                return r
            PAGES, PAGE, ROUNDS, DEPTH = 64, 4096, 1200, 4
            b = os.open("f", os.O_RDWR | os.O_CREAT); os.write(b, bytes(PAGES * PAGE)); os.fsync(b)
            d = os.open("f", os.O_RDWR | os.O_DIRECT)
            context = ctypes.c_ulong(); call(IO_SETUP, DEPTH, ctypes.byref(context))
            m = mmap.mmap(-1, PAGE * DEPTH); base = ctypes.addressof(ctypes.c_char.from_buffer(m)); events = ctypes.create_string_buffer(32 * DEPTH)
            done = False; stale = 0
            def read():
                r = os.open("f", os.O_RDONLY)
                while not done:
                    os.posix_fadvise(r, 0, 0, os.POSIX_FADV_DONTNEED)
                    for p in range(0, PAGES, 4): os.pread(r, PAGE, p * PAGE)
            readers = [threading.Thread(target=read) for _ in range(2)]; [t.start() for t in readers]
            for i in range(ROUNDS):
                writes = []
                for k in range(DEPTH):
                    p = (i * 7 + k * 13) % PAGES; tag = struct.pack("<II", i, p) * (PAGE // 8); m[k * PAGE:(k + 1) * PAGE] = tag
                    block = struct.pack("<QIIHHIQQqQII", k, 0, 0, PWRITE, 0, d, base + k * PAGE, PAGE, p * PAGE, 0, 0, 0)
                    writes.append((p, tag, ctypes.create_string_buffer(block)))
                call(IO_SUBMIT, context, ctypes.c_long(DEPTH), (ctypes.c_void_p * DEPTH)(*[ctypes.addressof(w[2]) for w in writes]))
                ended = 0
                while ended < DEPTH: ended += call(IO_GETEVENTS, context, ctypes.c_long(1), ctypes.c_long(DEPTH), events, None)
                stale += sum(os.pread(b, PAGE, p * PAGE) != tag for p, tag, _ in writes)
            done = True; [t.join() for t in readers]
            assert stale == 0, f"{stale} of {ROUNDS * DEPTH} reads got what was there before"
            PY
            python3 ../ahead.py
            """);
    });
}
