using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>The area in which attributes lie is rewritten by who changes them: nobody reads it meanwhile.</summary>
public sealed class AttributeReadTests
{
    private static readonly FileName s_name = FileName.From("user.a");

    private readonly Namespace _names;

    public AttributeReadTests()
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        _names = new Namespace(new MemoryTree(new SimulatedDevice(scheduler, 1024 * 1024), new PageCache(scheduler)));
    }

    [Fact]
    public async Task A_value_and_the_names_wait_for_who_changes_attributes()
    {
        Inode root = await _names.GetRootAsync();
        await AttributeChanges.SetAttributeAsync(root, s_name, new byte[] { 1, 2 }, AttributeCondition.None);
        await root.Lock.AcquireExclusiveAsync();
        Task<byte[]?> value = AttributeReads.GetAsync(root, s_name).AsTask();
        Task<IReadOnlyList<FileName>> names = AttributeReads.ListAsync(root).AsTask();

        Assert.False(value.IsCompleted);
        Assert.False(names.IsCompleted);
        root.Lock.ReleaseExclusive();
        Assert.Equal([1, 2], await value);
        Assert.Equal([s_name], await names);
    }

    [Fact]
    public async Task None_is_known_only_while_nobody_changes_them()
    {
        Inode root = await _names.GetRootAsync();
        Assert.True(AttributeReads.HasNone(root));

        await root.Lock.AcquireExclusiveAsync();
        Assert.False(AttributeReads.HasNone(root));
        root.Lock.ReleaseExclusive();

        await AttributeChanges.SetAttributeAsync(root, s_name, new byte[] { 1 }, AttributeCondition.None);
        Assert.False(AttributeReads.HasNone(root));
    }
}
