using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

public sealed class NamespaceInheritanceTests
{
    private readonly Namespace _names;

    public NamespaceInheritanceTests()
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        _names = new Namespace(new MemoryTree(new SimulatedDevice(scheduler, 1024 * 1024), new PageCache(scheduler)));
    }

    [Fact]
    public async Task Without_a_default_ACL_nothing_but_the_umask_is_inherited()
    {
        Inode root = await _names.GetRootAsync();
        Inode made = await _names.MakeAsync(
            root, FileName.From("d"), new NewNode { Mode = 0x41FF, UserId = 0, GroupId = 0, Umask = 0x12 });

        Assert.Equal(0x41ED, made.Attributes.Mode);
        Assert.Empty(await made.ListAttributesAsync());
    }

    [Fact]
    public async Task A_default_ACL_decides_instead_of_the_umask_and_is_handed_down()
    {
        Inode root = await _names.GetRootAsync();
        byte[] acl = Convert.FromHexString(
            "02000000" + "01000700ffffffff" + "02000700e8030000" + "04000000ffffffff" + "10000500ffffffff" + "20000000ffffffff");
        await AttributeChanges.SetAttributeAsync(root, AccessControlList.DefaultName, acl, AttributeCondition.None);
        Inode made = await _names.MakeAsync(
            root, FileName.From("d"), new NewNode { Mode = 0x41FF, UserId = 0, GroupId = 0, Umask = 0x1ff });

        Assert.Equal(0x4000 | 0x1E8, made.Attributes.Mode);
        Assert.Equal(acl, await made.GetAttributeAsync(AccessControlList.DefaultName));
    }

    [Fact]
    public async Task A_chmod_and_an_access_ACL_say_the_same()
    {
        Inode root = await _names.GetRootAsync();
        byte[] acl = Convert.FromHexString(
            "02000000" + "01000700ffffffff" + "02000700e8030000" + "04000000ffffffff" + "10000500ffffffff" + "20000000ffffffff");
        await AttributeChanges.SetAttributeAsync(root, AccessControlList.AccessName, acl, AttributeCondition.None);
        Assert.Equal(0x41E8, root.Attributes.Mode);

        await AttributeChanges.ApplyAsync(root, new AttributeUpdate { Mode = 0x1C0 });
        byte[]? changed = await root.GetAttributeAsync(AccessControlList.AccessName);
        Assert.Equal(0, AccessControlList.Parse(changed).Entries[3].Permissions);

        // Three entries say no more than a mode does: none is stored.
        byte[] plain = Convert.FromHexString("02000000" + "01000600ffffffff" + "04000400ffffffff" + "20000400ffffffff");
        await AttributeChanges.SetAttributeAsync(root, AccessControlList.AccessName, plain, AttributeCondition.None);
        Assert.Equal(0x41A4, root.Attributes.Mode);
        Assert.Null(await root.GetAttributeAsync(AccessControlList.AccessName));
    }
}
