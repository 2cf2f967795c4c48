using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>fio writes, reads back and compares: buffered, direct and both at once.</summary>
public sealed class FioTests
{
    [Theory]
    [InlineData(0, "4k", 1, "psync", "randwrite")]
    [InlineData(0, "4k-64k", 16, "libaio", "randwrite")]
    [InlineData(0, "1m", 4, "io_uring", "write")]
    [InlineData(1, "4k", 1, "psync", "randwrite")]
    [InlineData(1, "4k", 64, "libaio", "randwrite")]
    [InlineData(1, "4k", 32, "io_uring", "randrw")]
    [InlineData(1, "64k", 16, "libaio", "randwrite")]
    [InlineData(1, "1m", 8, "io_uring", "write")]
    [InlineData(1, "4k-256k", 64, "io_uring", "randwrite")]
    public void Writes_verify(int direct, string blockSize, int depth, string engine, string kind)
    {
        Needs.Tools("fio");
        string making = direct == 1 && depth > 16 ? "ours -t ext4" : "mkfs.ext4";
        string size = blockSize.Contains('-', StringComparison.Ordinal) ? "bsrange" : "bs";
        MountedVolume.Use(making, v =>
        {
            string common = $"--name=verify --filename=file --size=24m --{size}={blockSize} --direct={direct} --ioengine={engine} --iodepth={depth} --randrepeat=1";
            v.Run($"fio {common} --rw={kind} --verify=crc32c --verify_fatal=1 --do_verify=1 --minimal > /dev/null");
            v.Run($"fio {common} --rw={kind} --overwrite=1 --fsync=64 --verify=crc32c --verify_fatal=1 --minimal > /dev/null");
            v.Remount();
            v.Run("cat file > /dev/null; test $(stat -c %s file) = $((24 << 20))");
        });
    }

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -O ^extents,^64bit")]
    [InlineData("mkfs.ext4 -b 1024")]
    public void Several_jobs_of_every_kind_at_once_verify(string making)
    {
        Needs.Tools("fio");
        MountedVolume.Use(making, v => v.Run("""
            fio --size=12m --verify=crc32c --verify_fatal=1 --randrepeat=1 --minimal \
              --name=buffered --filename=a --rw=randwrite --bs=4k --ioengine=psync \
              --name=direct --filename=b --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 \
              --name=sequential --filename=c --rw=write --bs=256k --direct=1 --ioengine=io_uring --iodepth=8 \
              --name=mapped --filename=d --rw=randwrite --bs=4k --ioengine=mmap \
              --name=synced --filename=e --rw=randwrite --bs=16k --ioengine=psync --fdatasync=8 > /dev/null
            """, 200));
    }

    [Fact]
    public void Direct_and_buffered_writers_of_one_file_at_once_verify()
    {
        Needs.Tools("fio");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            v.Run("fallocate -l 32m shared; mkdir other");
            v.Run("""
                fio --filename=shared --verify=crc32c --verify_fatal=1 --randrepeat=1 --minimal --size=8m \
                  --name=a --offset=0 --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 \
                  --name=b --offset=8m --rw=randwrite --bs=4k --ioengine=psync \
                  --name=c --offset=16m --rw=randwrite --bs=16k --direct=1 --ioengine=io_uring --iodepth=8 \
                  --name=d --offset=24m --rw=write --bs=64k --ioengine=psync > /dev/null
                """, 200);
        });
    }
}
