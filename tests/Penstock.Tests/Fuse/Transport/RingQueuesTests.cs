using Penstock.Fuse.Transport;
using Xunit;

namespace Penstock.Tests.Fuse.Transport;

public sealed class RingQueuesTests
{
    /// <summary>A queue too few, and the kernel holds back every request; one too many, and it refuses the entry.</summary>
    [Theory]
    [InlineData("0\n", 1)]
    [InlineData("0-3\n", 4)]
    [InlineData("0,2-5\n", 5)]
    [InlineData("0-1,8-9,16", 5)]
    public void There_is_a_queue_for_each_possible_processor(string list, int count) => Assert.Equal(count, RingQueues.CountProcessors(list));
}
