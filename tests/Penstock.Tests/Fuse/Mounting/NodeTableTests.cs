using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Fuse.Mounting;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Fuse.Mounting;

public sealed class NodeTableTests
{
    private readonly MemoryTree _tree;
    private readonly Namespace _names;

    public NodeTableTests()
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        _tree = new MemoryTree(new SimulatedDevice(scheduler, 1024 * 1024), new PageCache(scheduler));
        _names = new Namespace(_tree);
    }

    [Fact]
    public async Task The_root_and_the_number_one_swap()
    {
        var table = new NodeTable(await _names.GetRootAsync());

        Assert.Equal(1u, table.ToNode(_tree.RootNumber));
        Assert.Equal(2u, table.ToNode(new InodeNumber(1)));
        Assert.Equal(77u, table.ToNode(new InodeNumber(77)));
        Assert.Equal(_tree.RootNumber, table[1].Number);
    }

    [Fact]
    public async Task An_inode_is_kept_until_as_many_lookups_are_forgotten_as_were_made()
    {
        Inode root = await _names.GetRootAsync();
        var table = new NodeTable(root);
        Inode inode = await MakeAsync(root, "pipe");
        ulong node = table.ToNode(inode.Number);

        Assert.False(table.AddLookup(inode));
        Assert.True(table.AddLookup(inode));
        Assert.True(table.AddLookup(inode));
        Assert.Same(inode, table[node]);
        Assert.Null(table.Forget(node, 2));
        Assert.Same(inode, table.Forget(node, 1));
        Assert.Equal(0, table.Count);
        Assert.Equal(IoFault.Stale, Assert.Throws<FileSystemException>(() => table[node]).Fault);
    }

    [Fact]
    public async Task A_kernel_that_forgets_too_much_does_no_harm()
    {
        Inode root = await _names.GetRootAsync();
        var table = new NodeTable(root);
        Inode inode = await MakeAsync(root, "pipe");
        table.AddLookup(inode);

        Assert.Same(inode, table.Forget(table.ToNode(inode.Number), ulong.MaxValue));
        Assert.Null(table.Forget(table.ToNode(inode.Number), 1));
        Assert.Null(table.Forget(NodeTable.RootNode, 5));
        Assert.Null(table.Forget(ulong.MaxValue, 1));
        Assert.Same(root, table[NodeTable.RootNode]);
    }

    [Fact]
    public async Task All_is_given_back_at_the_end()
    {
        Inode root = await _names.GetRootAsync();
        var table = new NodeTable(root);
        Inode first = await MakeAsync(root, "a");
        Inode second = await MakeAsync(root, "b");
        table.AddLookup(first);
        table.AddLookup(second);

        Assert.Equal([first, second], table.ForgetAll().OrderBy(inode => inode.Number));
        Assert.Equal(0, table.Count);
    }

    private ValueTask<Inode> MakeAsync(Inode directory, string name) =>
        _names.MakeAsync(directory, FileName.From(name), new NewNode { Mode = 0x1180, UserId = 0, GroupId = 0 });
}
