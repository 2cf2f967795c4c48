using Penstock.Devices.Rings;
using Xunit;

namespace Penstock.Tests.Devices;

public sealed class LookPatienceTests
{
    [Fact]
    public void In_vain_it_looks_half_as_often_each_time_then_rests_and_tries_anew()
    {
        var patience = new LookPatience(32);

        Assert.Equal([32, 16, 8, 4, 0, 0], Enumerable.Range(0, 6).Select(_ => LooksBeforeSleep(patience)));
        int[] later = [.. Enumerable.Range(0, 100).Select(_ => LooksBeforeSleep(patience))];
        Assert.Contains(32, later);
        Assert.True(later.Sum() < 200);
    }

    [Fact]
    public void What_was_found_by_looking_makes_it_worth_while_again()
    {
        var patience = new LookPatience(32);
        LooksBeforeSleep(patience);
        LooksBeforeSleep(patience);
        Assert.True(patience.MayLookAgain());
        patience.Found();

        Assert.Equal(32, LooksBeforeSleep(patience));
    }

    [Fact]
    public void With_one_processor_it_never_looks()
    {
        var patience = new LookPatience(0);

        Assert.All(Enumerable.Range(0, 100), _ => Assert.False(patience.MayLookAgain()));
    }

    private static int LooksBeforeSleep(LookPatience patience)
    {
        int looks = 0;
        while (patience.MayLookAgain())
        {
            looks++;
        }

        return looks;
    }
}
