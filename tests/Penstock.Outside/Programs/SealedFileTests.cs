using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Files that fs-verity seals are read, and never written; what proves them lies after their end, where nobody sees it.</summary>
public sealed class SealedFileTests
{
    [Theory]
    [InlineData("mkfs.ext4 -O verity")]
    [InlineData("mkfs.ext4 -O verity -b 1024")]
    public void A_sealed_file_is_read_and_not_written(string making) => MountedVolume.Use(making, v =>
    {
        Assert.SkipWhen(MountedVolume.IsKernel, "a kernel with fs-verity would check a proof that is not there");
        Needs.Tools("debugfs", "python3");
        v.Run("head -c 150000 /dev/urandom > f; head -c 5000 f > ../first; cp f g");
        v.Unmount();

        // As a sealed file lies on the device: the proof begins at the next multiple of 64 KiB.
        Script.Run("/", $"""
            printf '%s\n' 'set_inode_field f flags 0x180000' 'set_inode_field f size 5000' | debugfs -w -f - '{v.Image}' > /dev/null 2>&1
            """);
        v.Judge();
        v.Mount();
        v.Run("""
            test $(stat -c %s f) = 5000; cmp f ../first; test $(tail -c +5001 f | wc -c) = 0; dd if=f bs=1M iflag=direct status=none | cmp - ../first
            python3 - <<'PY'
            import errno, os
            def refused(call):
                try: call()
                except PermissionError as e: assert e.errno == errno.EPERM, e; return
                raise AssertionError("not refused")
            def write(flags):
                f = os.open("f", flags)
                try: os.pwrite(f, b"x" * 4096, 4096)
                finally: os.close(f)
            refused(lambda: write(os.O_WRONLY)); refused(lambda: write(os.O_RDWR)); refused(lambda: write(os.O_WRONLY | os.O_APPEND))
            refused(lambda: os.truncate("f", 100)); refused(lambda: os.truncate("f", 100000)); refused(lambda: os.open("f", os.O_WRONLY | os.O_TRUNC))
            PY
            chmod 600 f; touch f; mv f h; ln h f; cmp f ../first; setfattr -n user.x -v y f 2> /dev/null || true
            """);
        v.Remount();
        v.Run("cmp f ../first; rm f h; cmp g g");
    });
}
