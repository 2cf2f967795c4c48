using System.Text;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Outside.Ext4;

/// <summary>An image opened with our file system, and what tests do with one.</summary>
internal sealed class OpenedVolume : IAsyncDisposable
{
    private readonly BlockDevice device;

    private OpenedVolume(BlockDevice device, Ext4FileSystem fileSystem)
    {
        this.device = device;
        FileSystem = fileSystem;
        Namespace = new Namespace(fileSystem);
    }

    public Ext4FileSystem FileSystem { get; }

    public Namespace Namespace { get; }

    public static async Task<OpenedVolume> OpenAsync(string image, bool isReadOnly = false)
    {
        Scheduler scheduler = ThreadedScheduler.CreateForTest();
        BlockDevice device = await DeviceOpener.OpenAsync(image, new DeviceOptions { Scheduler = scheduler, IsReadOnly = isReadOnly });
        try
        {
            var cache = new PageCache(scheduler, 16 << 20);
            return new OpenedVolume(device, await Ext4FileSystem.OpenAsync(device, cache, new Ext4OpenOptions { IsReadOnly = isReadOnly }));
        }
        catch
        {
            await device.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await FileSystem.DisposeAsync();
        await device.DisposeAsync();
    }

    public static FileName Name(string name) => FileName.From(name);

    public async Task<Inode> FindAsync(string path)
    {
        Inode current = await Namespace.GetRootAsync();
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            Inode next = await Namespace.LookupAsync(current, Name(part));
            await FileSystem.Inodes.ReleaseAsync(current);
            current = next;
        }

        return current;
    }

    public async Task<List<(string Name, InodeNumber Number, FileKind Kind)>> ListAsync(Inode directory, int perCall = int.MaxValue)
    {
        var all = new List<(string, InodeNumber, FileKind)>();
        ulong position = 0;
        while (true)
        {
            var sink = new Sink(perCall, position);
            await Namespace.ReadDirectoryAsync(directory, position, sink);
            if (sink.Entries.Count == 0)
            {
                return all;
            }

            all.AddRange(sink.Entries);
            position = sink.Position;
        }
    }

    /// <summary>One line for everything below a directory, in the words of <c>find</c>.</summary>
    public async Task<List<string>> DescribeTreeAsync()
    {
        var lines = new List<string>();
        Inode root = await Namespace.GetRootAsync();
        await DescribeAsync(root, string.Empty, lines);
        await FileSystem.Inodes.ReleaseAsync(root);
        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    public async Task<byte[]> ReadAsync(Inode inode)
    {
        byte[] content = new byte[inode.Size];
        if (inode.HasInlineData)
        {
            inode.ReadInline(content);
            return content;
        }

        int blockSize = FileSystem.BlockSize;
        using var buffer = new AlignedBuffer(blockSize, 4096);
        for (long done = 0; done < content.Length; done += blockSize)
        {
            BlockRun run = await inode.Mapper!.MapAsync(new FileBlock((ulong)(done / blockSize)), 1);
            if (run.State == MapState.Mapped)
            {
                IoResult result = await device.ReadAsync((long)run.Volume.Value * blockSize, buffer.Segment);
                Xunit.Assert.False(result.IsFailed);
                buffer.GetSpan()[..(int)Math.Min(blockSize, content.Length - done)].CopyTo(content.AsSpan((int)done));
            }
        }

        return content;
    }

    private async Task DescribeAsync(Inode directory, string path, List<string> lines)
    {
        foreach ((string name, InodeNumber number, FileKind kind) in await ListAsync(directory))
        {
            if (name is "." or ".." || (path.Length == 0 && name == "lost+found"))
            {
                continue;
            }

            Inode inode = await Namespace.LookupAsync(directory, Name(name));
            Xunit.Assert.Equal(number, inode.Number);
            Xunit.Assert.Contains(kind, new[] { inode.Kind, FileKind.Unknown });
            string full = path + name;
            lines.Add(await DescribeOneAsync(inode, full));
            if (inode.Kind == FileKind.Directory)
            {
                await DescribeAsync(inode, full + "/", lines);
            }

            await FileSystem.Inodes.ReleaseAsync(inode);
        }
    }

    private async Task<string> DescribeOneAsync(Inode inode, string path)
    {
        InodeAttributes attributes = inode.Attributes;
        string letter = inode.Kind switch
        {
            FileKind.Directory => "d",
            FileKind.SymbolicLink => "l",
            FileKind.Pipe => "p",
            FileKind.Socket => "s",
            FileKind.BlockDevice => "b",
            FileKind.CharacterDevice => "c",
            _ => "f",
        };
        string rest = inode.Kind switch
        {
            FileKind.SymbolicLink => Encoding.UTF8.GetString(await inode.ReadLinkAsync()),
            FileKind.Regular => Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(await ReadAsync(inode))),
            _ => string.Empty,
        };
        string mode = Convert.ToString(attributes.Mode & ModeBits.PermissionMask, 8);
        return $"{path} {letter} {mode} {attributes.UserId}:{attributes.GroupId} {attributes.Links} {attributes.ModifyTime.Seconds} {rest}".TrimEnd();
    }

    internal sealed class Sink(int most, ulong start) : IDirectorySink
    {
        public List<(string Name, InodeNumber Number, FileKind Kind)> Entries { get; } = [];

        public ulong Position { get; private set; } = start;

        public bool Add(ReadOnlySpan<byte> name, InodeNumber number, FileKind kind, ulong next)
        {
            if (Entries.Count >= most)
            {
                return false;
            }

            Entries.Add((Encoding.UTF8.GetString(name), number, kind));
            Position = next;
            return true;
        }
    }
}
