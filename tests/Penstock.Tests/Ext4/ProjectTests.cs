using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Files;
using Xunit;
using static Penstock.Tests.Ext4.NamesFixture;

namespace Penstock.Tests.Ext4;

/// <summary>Projects: handed on by directories that say so, and not left by a rename or a link.</summary>
public sealed class ProjectTests
{
    private const uint InheritProject = 0x20000000;

    private readonly NamesFixture fixture = new();

    [Fact]
    public void A_directory_that_hands_its_project_on_takes_in_no_others() => Run(async (fileSystem, names, root) =>
    {
        Inode tree = await names.MakeAsync(root, Name("tree"), NamesFixture.Directory);
        Inode outside = await names.MakeAsync(root, Name("outside"), NamesFixture.File);
        await SetProjectAsync(fileSystem, tree, 7);
        Inode inside = await names.MakeAsync(tree, Name("inside"), NamesFixture.File);
        Assert.Equal(7u, inside.Attributes.ProjectId);

        await RefusedAsync(() => names.LinkAsync(tree, Name("link"), outside));
        await RefusedAsync(() => names.RenameAsync(root, Name("outside"), tree, Name("x"), RenameFlags.None));
        await RefusedAsync(() => names.RenameAsync(tree, Name("inside"), root, Name("outside"), RenameFlags.Exchange));
        await names.RenameAsync(tree, Name("inside"), root, Name("went"), RenameFlags.None);
        await names.RenameAsync(root, Name("went"), tree, Name("back"), RenameFlags.None);
        foreach (Inode inode in (Inode[])[inside, outside, tree])
        {
            await fileSystem.Inodes.ReleaseAsync(inode);
        }
    });

    [Fact]
    public void Without_the_feature_there_is_no_project() => Run(
        async (fileSystem, _, root) =>
        {
            var refused = await Assert.ThrowsAsync<FileSystemException>(async () => await fileSystem.SetProjectAsync(root, 7));
            Assert.Equal(IoFault.NotSupported, refused.Fault);
        },
        "^project");

    private static async Task SetProjectAsync(Ext4FileSystem fileSystem, Inode directory, uint project)
    {
        await directory.Lock.AcquireExclusiveAsync();
        await fileSystem.SetProjectAsync(directory, project);
        await fileSystem.SetFormatFlagsAsync(directory, fileSystem.GetFormatFlags(directory) | InheritProject);
        directory.Lock.ReleaseExclusive();
    }

    private static async Task RefusedAsync(Func<ValueTask> change) =>
        Assert.Equal(IoFault.CrossesVolumes, (await Assert.ThrowsAsync<FileSystemException>(async () => await change())).Fault);

    private void Run(Func<Ext4FileSystem, Namespace, Inode, Task> body, string features = "project") => fixture.Scheduler.Run(async () =>
    {
        await fixture.MakeAsync(new MakingOptions { Features = features });
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        var names = new Namespace(fileSystem);
        Inode root = await names.GetRootAsync();
        await body(fileSystem, names, root);
        await fileSystem.Inodes.ReleaseAsync(root);
        fixture.AssertLocksInOrder();
    });
}
