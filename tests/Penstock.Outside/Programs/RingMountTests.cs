using Penstock.Outside.Fuse;
using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>A volume whose requests come over io_uring: what the other tests show of /dev/fuse, in short.</summary>
[Collection(RingSwitch.Users)]
public sealed class RingMountTests : IDisposable
{
    private readonly RingSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Fact]
    public void Fio_verifies_direct_and_buffered_at_once()
    {
        Needs.Tools("fio");
        Use(v => v.Run("""
            fio --size=16m --verify=crc32c --verify_fatal=1 --randrepeat=1 --minimal \
              --name=buffered --filename=a --rw=randwrite --bs=4k --ioengine=psync \
              --name=direct --filename=b --rw=randwrite --bs=4k-256k --direct=1 --ioengine=libaio --iodepth=64 \
              --name=sequential --filename=c --rw=write --bs=1m --direct=1 --ioengine=io_uring --iodepth=8 \
              --name=mapped --filename=d --rw=randwrite --bs=4k --ioengine=mmap \
              --name=synced --filename=e --rw=randwrite --bs=16k --ioengine=psync --fdatasync=8 > /dev/null
            """, 200));
    }

    [Fact]
    public void Names_attributes_links_and_long_values_go_there_and_back() => Use(v =>
    {
        Needs.Tools("setfattr", "python3");
        v.Run("""
            mkdir -p d/e && echo hello > d/f && ln d/f d/g && ln -s ../f d/e/l && test "$(cat d/e/l)" = hello
            mv d/f d/h && test $(stat -c %h d/g) = 2 && mkfifo d/p && chmod 640 d/g && chown 5:6 d/g && touch -d @1000000000 d/g
            test "$(stat -c '%a %u %g %Y' d/h)" = "640 5 6 1000000000"
            setfattr -n user.a -v "$(head -c 3000 /dev/zero | tr '\0' x)" d/g && test $(getfattr --only-values -n user.a d/h | wc -c) = 3000
            getfattr d/g | grep -q user.a && setfattr -x user.a d/g
            seq 1 2000 | sed s/^/a-name-that-is-long-enough-to-fill-a-listing-/ | (mkdir many; cd many; xargs touch); test $(ls many | wc -l) = 2000
            truncate -s 100M sparse && fallocate -l 1M -o 50M sparse && fallocate -p -l 4096 -o 50M sparse && test $(stat -c %s sparse) = 104857600
            dd if=/dev/zero of=sparse bs=4k count=1 seek=16384 conv=notrunc status=none
            python3 -c "import os; f = os.open('sparse', os.O_RDONLY); assert os.lseek(f, 0, os.SEEK_DATA) == 64 << 20"
            head -c 3000000 /dev/urandom > big && cp big copy && cmp big copy && rm -r many
            """);
        v.Remount();
        v.Run("cmp big copy && test \"$(cat d/h)\" = hello && test ! -e many");
    });

    private static void Use(Action<MountedVolume> use) => MountedVolume.Use("mkfs.ext4", v =>
    {
        Assert.Contains("penstock-fuse-r", v.Run("(cat /proc/[0-9]*/task/*/comm 2>/dev/null || true) | sort -u"), StringComparison.Ordinal);
        use(v);
    });
}
