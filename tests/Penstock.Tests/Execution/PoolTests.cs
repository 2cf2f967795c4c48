using Penstock.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

public sealed class PoolTests
{
    [Fact]
    public void What_was_returned_is_handed_out_again_up_to_the_capacity()
    {
        int made = 0;
        var pool = new Pool<object>(
            () =>
            {
                made++;
                return new object();
            },
            capacity: 2);
        object[] rented = [pool.Rent(), pool.Rent(), pool.Rent()];
        Assert.Equal(3, made);
        Array.ForEach(rented, pool.Return);
        object first = pool.Rent();
        object second = pool.Rent();
        Assert.NotSame(first, second);
        Assert.Equal(3, made);
        pool.Rent();
        Assert.Equal(4, made);
    }
}
