using System.Runtime.InteropServices;
using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Uring;

public sealed class HostFileTest : IDisposable
{
    private readonly TemporaryFile _file = new(1 << 20);
    private readonly AlignedBuffer _memory = new(8192);

    [Fact]
    public void A_missing_file_is_an_error_value()
    {
        Assert.Null(HostFile.Open(_file.Path + "-missing", HostOpenFlags.ReadOnly, out Errno error));
        Assert.Equal(Errno.ENOENT, error);
        Assert.Equal(Errno.ENOENT, HostFile.GetStatus(_file.Path + "-missing", out _));
    }

    [Fact]
    public void A_path_with_a_zero_byte_names_nothing()
    {
        Assert.Null(HostFile.Open(_file.Path + "\0tail", HostOpenFlags.ReadOnly, out Errno error));
        Assert.Equal(Errno.EINVAL, error);
    }

    [Fact]
    public void Exclusive_creation_refuses_what_exists()
    {
        Assert.Null(HostFile.Open(_file.Path, HostOpenFlags.ReadWrite | HostOpenFlags.Create | HostOpenFlags.Exclusive, out Errno error));
        Assert.Equal(Errno.EEXIST, error);
    }

    [Fact]
    public void Status_tells_size_kind_and_identity()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly);
        Assert.Equal(Errno.None, file.GetStatus(out FileStatus byHandle));
        Assert.Equal(Errno.None, HostFile.GetStatus(_file.Path, out FileStatus byPath));
        Assert.Equal(1 << 20, byHandle.Size);
        Assert.True(byHandle.IsRegularFile);
        Assert.False(byHandle.IsBlockDevice);
        Assert.Equal((byPath.Device, byPath.Inode), (byHandle.Device, byHandle.Inode));
        Assert.Equal(Errno.None, HostFile.GetStatus("/dev/null", out FileStatus special));
        Assert.False(special.IsRegularFile);
        Assert.Equal(new DeviceNumber(1, 3), special.SpecialDevice);
        Assert.Equal(Errno.None, HostFile.GetStatus("/", out FileStatus root));
        Assert.True(root.IsDirectory);
    }

    [Fact]
    public void The_alignment_told_is_the_alignment_that_works()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly | HostOpenFlags.Direct);
        Assert.Equal(Errno.None, file.GetStatus(out FileStatus status));
        Assert.SkipUnless(status.KnowsDirectAlignment && status.DirectOffsetAlignment > 0, "The host tells no alignment for direct I/O.");
        int unit = status.DirectOffsetAlignment;
        Assert.Equal(unit, file.Read([new IoVector(_memory.Segment.Address, unit)], unit).Value);
    }

    [Fact]
    public void Vectored_transfers_go_there_and_back()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite);
        nint address = _memory.Segment.Address;
        "abcdefgh"u8.CopyTo(_memory.Memory.Span);
        Assert.Equal(8, file.Write([new IoVector(address + 4, 4), new IoVector(address, 4)], 10, TransferFlags.DataSync).Value);
        Assert.Equal(8, file.Read([new IoVector(address + 100, 8)], 10).Value);
        Assert.Equal("efghabcd"u8, _memory.Memory.Span.Slice(100, 8));
        Assert.Equal(0, file.Read([new IoVector(address, 8)], 1 << 20).Value);
        Assert.Equal(Errno.None, file.SyncData());
    }

    [Fact]
    public void Writing_a_file_open_for_reading_is_an_error_value()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly);
        Assert.Equal(Errno.EBADF, file.Write([new IoVector(_memory.Segment.Address, 1)], 0).Error);
        Assert.Equal(Errno.EINVAL, file.SetLength(0));
    }

    [Fact]
    public void Ranges_are_punched_zeroed_and_allocated()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite);
        _memory.Memory.Span.Fill(0xAA);
        file.Write([new IoVector(_memory.Segment.Address, 8192)], 0);
        Assert.Equal(Errno.None, file.ChangeRange(RangeChange.PunchHole, 0, 4096));
        Assert.Equal(Errno.None, file.ChangeRange(RangeChange.ZeroRange, 4096, 2048));
        file.Read([new IoVector(_memory.Segment.Address, 8192)], 0);
        Assert.Equal(6144, _memory.Memory.Span.IndexOf((byte)0xAA));
        Assert.Equal(Errno.None, file.SetLength(4096));
        Assert.Equal(Errno.None, file.ChangeRange(RangeChange.Allocate, 0, 65536));
        Assert.Equal(Errno.None, file.GetStatus(out FileStatus status));
        Assert.Equal(65536, status.Size);
    }

    [Fact]
    public void Locks_of_two_opens_exclude_each_other_and_end_with_the_open()
    {
        using HostFile second = _file.Open(HostOpenFlags.ReadWrite);
        using (HostFile first = _file.Open(HostOpenFlags.ReadWrite))
        {
            Assert.Equal(Errno.None, first.TryLock(FileLockKind.Shared));
            Assert.Equal(Errno.None, second.TryLock(FileLockKind.Shared));
            Assert.Equal(Errno.EAGAIN, second.TryLock(FileLockKind.Exclusive));
            Assert.Equal(Errno.None, first.TryLockDescription(FileLockKind.Exclusive));
            Assert.Equal(Errno.EAGAIN, second.TryLockDescription(FileLockKind.Shared));
        }

        Assert.Equal(Errno.None, second.TryLock(FileLockKind.Exclusive));
        Assert.Equal(Errno.None, second.TryLockDescription(FileLockKind.Exclusive));
    }

    [Fact]
    public void A_regular_file_is_no_block_device()
    {
        using HostFile file = _file.Open(HostOpenFlags.ReadWrite);
        Assert.Equal(Errno.ENOTTY, file.GetLogicalBlockSize(out _));
        Assert.Equal(Errno.ENOTTY, file.GetBlockDeviceLength(out _));
        Assert.Equal(Errno.ENOTTY, file.ZeroBlocks(0, 4096));
    }

    [Fact]
    public void Structures_have_the_sizes_of_the_kernel()
    {
        Assert.Equal(256, Marshal.SizeOf<StatxBuffer>());
        Assert.Equal(32, Marshal.SizeOf<FileRegionLock>());
        Assert.Equal(120, Marshal.SizeOf<RingParameters>());
        Assert.Equal(64, Marshal.SizeOf<SubmissionEntry>());
        Assert.Equal(16, Marshal.SizeOf<Completion>());
        Assert.Equal(24, Marshal.SizeOf<WaitArgument>());
        Assert.Equal(16, Marshal.SizeOf<IoVector>());
    }

    public void Dispose()
    {
        _file.Dispose();
        ((IDisposable)_memory).Dispose();
    }
}
