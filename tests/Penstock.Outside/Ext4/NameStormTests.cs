using System.Text;
using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Names made, moved and removed at random, beside a model; e2fsck finds nothing to fix, and a second opening finds what the model says.</summary>
public sealed class NameStormTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    public static TheoryData<string, string> FeatureSets => new()
    {
        { "-t ext4", "48M" },
        { "-t ext4 -b 1024", "48M" },
        { "-t ext4 -b 1024 -O bigalloc -C 8192", "64M" },
        { "-t ext4 -b 2048 -O ^has_journal,inline_data", "48M" },
        { "-t ext4 -O metadata_csum_seed,large_dir,ea_inode,orphan_file", "64M" },
        { "-t ext4 -b 65536", "256M" },
        { "-t ext4 -O ^64bit,^metadata_csum,uninit_bg", "64M" },
        { "-t ext4 -O meta_bg,^resize_inode -b 1024", "96M" },
        { "-t ext4 -O project -I 512", "64M" },
        { "-t ext4 -I 128 -O ^extra_isize", "64M" },
        { "-t ext4 -O ^extent,^64bit,^flex_bg", "64M" },
        { "-t ext4 -O ^dir_index -b 1024", "48M" },
        { "-t ext2 -b 1024", "48M" },
        { "-t ext2 -O ^filetype", "48M" },
        { "-t ext3", "64M" },
    };

    [Theory]
    [MemberData(nameof(FeatureSets))]
    public async Task A_storm_of_names_leaves_what_the_model_says(string arguments, string size)
    {
        string image = scratch["v.img"];
        string[] all = ["-q", "-F", .. arguments.Split(' '), "-N", "8000", image, size];
        OutsideProgram.Run("mke2fs", all);
        var storm = new NameStorm(seed: arguments.Length);
        await using (OpenedVolume volume = await OpenedVolume.OpenAsync(image))
        {
            await storm.RunAsync(volume, steps: 4000);
            Assert.Equal(storm.Describe(), await DescribeAsync(volume));
        }

        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, output);
        await using OpenedVolume again = await OpenedVolume.OpenAsync(image);
        Assert.Null(again.FileSystem.ReadOnlyReason);
        Assert.Equal(storm.Describe(), await DescribeAsync(again));
    }

    [Theory]
    [InlineData("-t ext4 -b 1024", 20_000)]
    [InlineData("-t ext4 -b 4096", 100_000)]
    [InlineData("-t ext4 -b 1024 -O large_dir,^metadata_csum", 100_000)]
    public async Task A_directory_of_many_names_grows_and_shrinks(string arguments, int count)
    {
        string image = scratch["v.img"];
        string[] all = ["-q", "-F", .. arguments.Split(' '), "-N", "3000", image, "128M"];
        OutsideProgram.Run("mke2fs", all);
        await using (OpenedVolume volume = await OpenedVolume.OpenAsync(image))
        {
            Inode root = await volume.Namespace.GetRootAsync();
            Inode directory = await volume.Namespace.MakeAsync(root, OpenedVolume.Name("many"), NameStorm.Directory);

            // One inode under many names, as inodes are few here.
            Inode? target = null;
            for (int i = 0; i < count; i++)
            {
                FileName name = OpenedVolume.Name($"entry-{i:d8}-with-a-name-of-some-length");
                if (i % 60_000 == 0)
                {
                    await ReleaseAsync(volume, target);
                    target = await volume.Namespace.MakeAsync(directory, name, NameStorm.File);
                }
                else
                {
                    await volume.Namespace.LinkAsync(directory, name, target!);
                }
            }

            await ReleaseAsync(volume, target);
            var names = (await volume.ListAsync(directory, 501)).Select(e => e.Name).ToHashSet();
            Assert.Equal(count + 2, names.Count);
            Assert.Equal(count + 2, (await volume.ListAsync(directory)).Count);
            for (int i = 0; i < count; i += 3)
            {
                await volume.Namespace.UnlinkAsync(directory, OpenedVolume.Name($"entry-{i:d8}-with-a-name-of-some-length"));
            }

            Assert.Equal(count + 2 - ((count + 2) / 3), (await volume.ListAsync(directory, 99)).Count);
            await ReleaseAsync(volume, directory);
            await ReleaseAsync(volume, root);
        }

        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, output);
    }

    private static async Task ReleaseAsync(OpenedVolume volume, Inode? inode)
    {
        if (inode is not null)
        {
            await volume.FileSystem.Inodes.ReleaseAsync(inode);
        }
    }

    private static async Task<List<string>> DescribeAsync(OpenedVolume volume)
    {
        List<string> lines = await volume.DescribeTreeAsync();
        return [.. lines.Select(line => string.Join(' ', line.Split(' ')[..2]) + " " + line.Split(' ')[4])];
    }
}

/// <summary>Random operations on names, done by the volume and by a naive tree at once.</summary>
internal sealed class NameStorm(int seed)
{
    public static readonly NewNode File = new() { Mode = 0x81A4, UserId = 1000, GroupId = 1000 };
    public static readonly NewNode Directory = new() { Mode = 0x41ED, UserId = 1000, GroupId = 1000 };

    private readonly Random random = new(seed);
    private readonly Node root = new('d');

    public async Task RunAsync(OpenedVolume volume, int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            int which = random.Next(100);
            (Node parent, string path) = PickDirectory();
            string name = PickName();
            IoFault expected;
            Func<Task> act;
            switch (which)
            {
                case < 35:
                    (expected, act) = Make(volume, parent, path, name, 'f', File);
                    break;
                case < 47:
                    (expected, act) = Make(volume, parent, path, name, 'd', Directory);
                    break;
                case < 54:
                    byte[] target = Encoding.ASCII.GetBytes(new string('t', 1 + random.Next(200)));
                    (expected, act) = Make(volume, parent, path, name, 'l', new NewNode { Mode = 0xA1FF, UserId = 0, GroupId = 0, LinkTarget = target });
                    break;
                case < 62:
                    (expected, act) = Unlink(volume, parent, path, name);
                    break;
                case < 66:
                    (expected, act) = RemoveDirectory(volume, parent, path, name);
                    break;
                case < 74:
                    (expected, act) = Link(volume, parent, path, name);
                    break;
                default:
                    (expected, act) = Rename(volume, parent, path, name);
                    break;
            }

            IoFault fault = IoFault.None;
            try
            {
                await act();
            }
            catch (FileSystemException e) when (e is not CorruptVolumeException)
            {
                fault = e.Fault;
            }

            Assert.True(expected == fault, $"seed {seed}, step {step}, case {which}: {path}{name}: expected {expected}, got {fault}");
        }
    }

    public List<string> Describe()
    {
        var lines = new List<string>();
        Describe(root, string.Empty, lines);
        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    private static void Describe(Node directory, string path, List<string> lines)
    {
        foreach ((string name, Node node) in directory.Children!)
        {
            lines.Add($"{path}{name} {node.Kind} {node.Links}");
            if (node.Children is not null)
            {
                Describe(node, path + name + "/", lines);
            }
        }
    }

    private (IoFault Expected, Func<Task> Act) Make(OpenedVolume volume, Node parent, string path, string name, char kind, NewNode what)
    {
        IoFault expected = parent.Children!.ContainsKey(name) ? IoFault.Exists : IoFault.None;
        if (expected == IoFault.None)
        {
            parent.Add(name, new Node(kind));
        }

        return (expected, () => InAsync(volume, path, async directory =>
        {
            Inode made = await volume.Namespace.MakeAsync(directory, OpenedVolume.Name(name), what);
            await volume.FileSystem.Inodes.ReleaseAsync(made);
        }));
    }

    private static (IoFault Expected, Func<Task> Act) Unlink(OpenedVolume volume, Node parent, string path, string name)
    {
        IoFault expected = parent.Children!.TryGetValue(name, out Node? node) ? node.IsDirectory ? IoFault.IsADirectory : IoFault.None : IoFault.NotFound;
        if (expected == IoFault.None)
        {
            parent.Remove(name);
        }

        return (expected, () => InAsync(volume, path, d => volume.Namespace.UnlinkAsync(d, OpenedVolume.Name(name)).AsTask()));
    }

    private static (IoFault Expected, Func<Task> Act) RemoveDirectory(OpenedVolume volume, Node parent, string path, string name)
    {
        IoFault expected = !parent.Children!.TryGetValue(name, out Node? node) ? IoFault.NotFound
            : !node.IsDirectory ? IoFault.NotADirectory
            : node.Children!.Count > 0 ? IoFault.NotEmpty
            : IoFault.None;
        if (expected == IoFault.None)
        {
            parent.Remove(name);
        }

        return (expected, () => InAsync(volume, path, d => volume.Namespace.RemoveDirectoryAsync(d, OpenedVolume.Name(name)).AsTask()));
    }

    private (IoFault Expected, Func<Task> Act) Link(OpenedVolume volume, Node parent, string path, string name)
    {
        (Node other, string otherPath) = PickDirectory();
        string otherName = PickName();
        if (!other.Children!.TryGetValue(otherName, out Node? node))
        {
            return (IoFault.None, () => Task.CompletedTask);
        }

        IoFault expected = parent.Children!.ContainsKey(name) ? IoFault.Exists : node.IsDirectory ? IoFault.NotPermitted : IoFault.None;
        if (expected == IoFault.None)
        {
            parent.Add(name, node);
            node.Links++;
        }

        return (expected, () => InAsync(volume, path, async directory =>
        {
            Inode target = await volume.FindAsync(otherPath + otherName);
            try
            {
                await volume.Namespace.LinkAsync(directory, OpenedVolume.Name(name), target);
            }
            finally
            {
                await volume.FileSystem.Inodes.ReleaseAsync(target);
            }
        }));
    }

    private (IoFault Expected, Func<Task> Act) Rename(OpenedVolume volume, Node from, string fromPath, string fromName)
    {
        (Node to, string toPath) = PickDirectory();
        string toName = PickName();
        RenameFlags flags = random.Next(5) switch
        {
            0 => RenameFlags.NoReplace,
            1 => RenameFlags.Exchange,
            _ => RenameFlags.None,
        };
        IoFault expected = JudgeRename(from, fromName, to, toName, flags);
        if (expected == IoFault.None)
        {
            DoRename(from, fromName, to, toName, flags == RenameFlags.Exchange);
        }

        // The paths are walked before anything moves.
        return (expected, () => InAsync(volume, fromPath, a => InAsync(volume, toPath, b =>
            volume.Namespace.RenameAsync(a, OpenedVolume.Name(fromName), b, OpenedVolume.Name(toName), flags).AsTask())));
    }

    private static IoFault JudgeRename(Node from, string fromName, Node to, string toName, RenameFlags flags)
    {
        if (!from.Children!.TryGetValue(fromName, out Node? source))
        {
            return IoFault.NotFound;
        }

        bool isExchange = flags == RenameFlags.Exchange;
        to.Children!.TryGetValue(toName, out Node? target);
        if (target is null ? isExchange : flags == RenameFlags.NoReplace)
        {
            return target is null ? IoFault.NotFound : IoFault.Exists;
        }

        if (from != to && source.IsDirectory && to.IsInside(source))
        {
            return IoFault.InvalidArgument;
        }

        if (from != to && target is { IsDirectory: true } && from.IsInside(target))
        {
            return isExchange ? IoFault.InvalidArgument : IoFault.NotEmpty;
        }

        if (source == target || isExchange || target is null)
        {
            return IoFault.None;
        }

        return source.IsDirectory != target.IsDirectory ? (source.IsDirectory ? IoFault.NotADirectory : IoFault.IsADirectory)
            : target.IsDirectory && target.Children!.Count > 0 ? IoFault.NotEmpty
            : IoFault.None;
    }

    private static void DoRename(Node from, string fromName, Node to, string toName, bool isExchange)
    {
        Node source = from.Children![fromName];
        to.Children!.TryGetValue(toName, out Node? target);
        if (source == target)
        {
            return;
        }

        from.Detach(fromName);
        if (target is not null)
        {
            to.Detach(toName);
            if (isExchange)
            {
                from.Add(fromName, target);
            }
            else
            {
                target.Links--;
            }
        }

        to.Add(toName, source);
    }

    private static async Task InAsync(OpenedVolume volume, string path, Func<Inode, Task> act)
    {
        Inode directory = await volume.FindAsync(path);
        try
        {
            await act(directory);
        }
        finally
        {
            await volume.FileSystem.Inodes.ReleaseAsync(directory);
        }
    }

    private (Node Node, string Path) PickDirectory()
    {
        Node current = root;
        string path = "/";
        while (random.Next(3) != 0)
        {
            var inner = current.Children!.Where(c => c.Value.IsDirectory).ToList();
            if (inner.Count == 0)
            {
                break;
            }

            (string name, current) = inner[random.Next(inner.Count)];
            path += name + "/";
        }

        return (current, path);
    }

    private string PickName()
    {
        int number = random.Next(120);
        return $"n{number}-{new string((char)('a' + (number % 26)), number)}";
    }

    private sealed class Node(char kind)
    {
        public char Kind => kind;

        public bool IsDirectory => kind == 'd';

        public int Links { get; set; } = kind == 'd' ? 2 : 1;

        public Node? Parent { get; private set; }

        public SortedDictionary<string, Node>? Children { get; } = kind == 'd' ? new(StringComparer.Ordinal) : null;

        public void Add(string name, Node node)
        {
            Children!.Add(name, node);
            if (node.IsDirectory)
            {
                node.Parent = this;
                Links++;
            }
        }

        public void Detach(string name)
        {
            Links -= Children![name].IsDirectory ? 1 : 0;
            Children.Remove(name);
        }

        public void Remove(string name)
        {
            Children![name].Links--;
            Detach(name);
        }

        public bool IsInside(Node other)
        {
            for (Node? node = this; node is not null; node = node.Parent)
            {
                if (node == other)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
