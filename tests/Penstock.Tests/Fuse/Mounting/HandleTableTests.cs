using Penstock.Fuse.Mounting;
using Xunit;

namespace Penstock.Tests.Fuse.Mounting;

public sealed class HandleTableTests
{
    [Fact]
    public void A_handle_leads_to_its_value_until_it_is_removed()
    {
        var table = new HandleTable<string>();
        ulong handle = table.Add("file");

        Assert.NotEqual(0u, handle);
        Assert.Equal("file", table[handle]);
        Assert.Equal("file", table.Remove(handle));
        Assert.Null(table.Remove(handle));
        Assert.Equal(IoFault.BadHandle, Assert.Throws<FileSystemException>(() => table[handle]).Fault);
    }

    [Fact]
    public void A_stale_handle_never_reaches_the_next_user_of_its_slot()
    {
        var table = new HandleTable<string>();
        ulong old = table.Add("old");
        table.Remove(old);
        ulong fresh = table.Add("fresh");

        Assert.Equal((uint)old, (uint)fresh);
        Assert.Throws<FileSystemException>(() => table[old]);
        Assert.Equal("fresh", table[fresh]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0x1_0000_0063)]
    public void An_invented_handle_is_found_out(ulong handle)
    {
        var table = new HandleTable<string>();
        table.Add("file");

        Assert.Throws<FileSystemException>(() => table[handle]);
    }

    [Fact]
    public void Many_handles_are_all_different_and_all_come_back()
    {
        var table = new HandleTable<string>();
        ulong[] handles = [.. Enumerable.Range(0, 1000).Select(i => table.Add($"{i}"))];

        Assert.Equal(1000, handles.Distinct().Count());
        Assert.Equal(1000, table.Count);
        Assert.Equal(1000, table.RemoveAll().Count);
        Assert.Equal(0, table.Count);
        Assert.Throws<FileSystemException>(() => table[handles[5]]);
    }
}
