using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Fuse;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>The in-memory file system, mounted: the mount without a format.</summary>
internal sealed class MountedTree : IAsyncDisposable
{
    private readonly List<Exception> _defects = [];

    private readonly string _workDirectory = System.IO.Directory.CreateTempSubdirectory("penstock-tree-").FullName;

    private MountedTree(MemoryTree tree)
    {
        Tree = tree;
        Directory = Path.Combine(_workDirectory, "mnt");
        System.IO.Directory.CreateDirectory(Directory);
    }

    public MemoryTree Tree { get; }

    public string Directory { get; }

    public Mount Mount { get; private set; } = null!;

    public static async Task<MountedTree> StartAsync(MountOptions? options = null)
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        var tree = new MemoryTree(new SimulatedDevice(scheduler, 64 * 1024 * 1024), new PageCache(scheduler));
        var mounted = new MountedTree(tree);
        options = (options ?? new MountOptions()) with { OnDefect = mounted._defects.Add };
        mounted.Mount = await Mount.StartAsync(new Namespace(tree), "memory", mounted.Directory, options);
        return mounted;
    }

    /// <summary>A command in the mounted directory that must succeed; ".." is a directory of the host.</summary>
    public string Run(string command) => Shell.Run($"cd {Directory} && {command}");

    public void Fails(string command, string complaint) => Shell.Fails($"cd {Directory} && {command}", complaint);

    public async ValueTask DisposeAsync()
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await Mount.UnmountAsync();
                break;
            }
            catch (FileSystemException e) when (e.Fault == IoFault.Busy && attempt < 200)
            {
                await Task.Delay(50);
            }
        }

        System.IO.Directory.Delete(_workDirectory, recursive: true);
        Assert.Empty(_defects);
    }
}
