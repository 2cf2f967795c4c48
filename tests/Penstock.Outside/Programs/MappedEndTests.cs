using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>What is stored through a mapping beyond the end of a file is nobody's: when the file grows over it, it reads as zeros, as on the kernel's file systems.</summary>
public sealed class MappedEndTests
{
    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("mkfs.ext4 -O inline_data")]
    [InlineData("mkfs.ext4 -t ext2")]
    public void Stores_beyond_the_end_do_not_become_content(string making)
    {
        Needs.Tools("python3");
        MountedVolume.Use(making, v =>
        {
            v.Run("""
                cat > ../end.py <<'PY'
                import errno, mmap, os
                def grown(name, size, *grow):
                    f = os.open(name, os.O_RDWR | os.O_CREAT)
                    os.ftruncate(f, 4096)
                    m = mmap.mmap(f, 4096)
                    os.ftruncate(f, 0); os.pwrite(f, b"a" * 100, 0)
                    assert m[:100] == b"a" * 100
                    m[50:60] = b"b" * 10; m[105:115] = b"s" * 10; m[300:4096] = b"s" * 3796
                    for step in grow:
                        try: step(f)
                        except OSError as e:
                            if e.errno == errno.EOPNOTSUPP: os.unlink(name); return
                            raise
                    expected = bytearray(b"a" * 50 + b"b" * 10 + b"a" * 40 + bytes(size))[:size]
                    for offset, data in written: expected[offset:offset + len(data)] = data
                    written.clear()
                    def judge(when):
                        now = os.pread(f, 20000, 0)
                        assert now[:5000] == bytes(expected)[:5000], (name, when, [(i, now[i]) for i in range(min(len(now), 5000)) if i >= size or now[i] != expected[i]][:5], len(now), size)
                    judge("at once")
                    # What is stored where the file is now is content.
                    if size > 320: m[310:320] = b"c" * 10; expected[310:320] = b"c" * 10
                    m.flush(); judge("flushed"); os.fsync(f); judge("synced")
                    if size > 330: m[322:330] = b"d" * 8; expected[322:330] = b"d" * 8
                    del m; os.close(f)
                    open("../expected-" + name, "wb").write(expected)
                written = []
                def write(offset, data):
                    def step(f): written.append((offset, data)); assert os.pwrite(f, data, offset) == len(data)
                    return step
                def truncate(size): return lambda f: os.ftruncate(f, size)
                def copy(offset):
                    def step(f):
                        data = b"k" * 700; g = os.open("source", os.O_RDWR | os.O_CREAT); os.write(g, data)
                        assert os.copy_file_range(g, f, 700, 0, offset) == 700; os.close(g); written.append((offset, data))
                    return step
                grown("truncate", 1000, truncate(1000))
                grown("truncate-little", 110, truncate(110))
                grown("truncate-page", 4096, truncate(4096))
                grown("truncate-far", 10000, truncate(10000))
                grown("truncate-twice", 3000, truncate(1000), truncate(3000))
                grown("allocate", 8000, lambda f: os.posix_fallocate(f, 0, 8000))
                grown("append", 110, write(100, b"w" * 10))
                grown("append-truncate", 4000, write(100, b"w" * 10), truncate(4000))
                grown("write-page", 510, write(500, b"w" * 10))
                grown("write-next", 5010, write(5000, b"w" * 10))
                grown("write-far", 9010, write(9000, b"w" * 10))
                grown("write-twice", 2010, write(500, b"w" * 10), write(2000, b"w" * 10))
                grown("copy", 6700, copy(6000))
                grown("up-down", 1000, truncate(2000), truncate(200), truncate(1000))
                PY
                python3 ../end.py
                """);
            v.Remount();
            v.Run("for e in ../expected-*; do cmp $e ${e#../expected-}; done");
        });
    }
}
