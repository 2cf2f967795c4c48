using Penstock.Fuse.Protocol;
using Xunit;

namespace Penstock.Tests.Fuse.Protocol;

public sealed class ErrnoTests
{
    [Fact]
    public void Every_fault_has_a_number_and_only_a_device_failure_is_EIO()
    {
        foreach (IoFault fault in Enum.GetValues<IoFault>())
        {
            Errno errno = fault;

            Assert.Equal(fault == IoFault.None, errno.IsNone);
            Assert.Equal(fault == IoFault.DeviceFailed, errno == Errno.EIO);
        }
    }

    [Fact]
    public void No_two_faults_share_a_number()
    {
        int[] numbers = [.. Enum.GetValues<IoFault>().Select(fault => Errno.From(fault).Value)];

        Assert.Equal(numbers.Length, numbers.Distinct().Count());
    }

    [Theory]
    [InlineData(IoFault.NoSpace, 28)]
    [InlineData(IoFault.ReadOnly, 30)]
    [InlineData(IoFault.Corrupt, 117)]
    [InlineData(IoFault.NoAttribute, 61)]
    [InlineData(IoFault.NotSupported, 95)]
    [InlineData(IoFault.Stale, 116)]
    [InlineData(IoFault.NoSuchRange, 6)]
    public void The_numbers_are_those_of_Linux(IoFault fault, int number) => Assert.Equal(number, Errno.From(fault).Value);

    [Fact]
    public void An_exception_keeps_its_fault_and_any_other_is_EIO()
    {
        Assert.Equal(Errno.EUCLEAN, Errno.From(new CorruptVolumeException("inode", "inode 12", "i_mode", "0")));
        Assert.Equal(Errno.ENOSPC, Errno.From(new FileSystemException(IoFault.NoSpace)));
        Assert.Equal(Errno.EINTR, Errno.From(new OperationCanceledException()));
        Assert.Equal(Errno.EIO, Errno.From(new InvalidOperationException()));
    }
}
