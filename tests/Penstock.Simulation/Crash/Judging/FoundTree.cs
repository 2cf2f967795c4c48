using Penstock.Caching;
using Penstock.Files;
using Penstock.Memory;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>One thing found in a recovered volume.</summary>
internal sealed record FoundEntry(string Path, FileKind Kind, ulong Inode, byte[] Content, string? LinkTarget, IReadOnlyDictionary<string, byte[]> Attributes);

/// <summary>Everything found in a recovered volume, by path, but for lost+found itself.</summary>
internal sealed class FoundTree
{
    public const string ListedTwice = "is listed twice";

    private const int LargestFile = 16 << 20;
    private const string LostFound = "/lost+found";

    private static readonly Dictionary<string, byte[]> s_none = [];

    private readonly SortedDictionary<string, FoundEntry> _entries = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, FoundEntry> Entries => _entries;

    /// <summary>What could not be read, on a volume whose damage is to be expected.</summary>
    public List<string> Unreadable { get; } = [];

    /// <summary>Whether something was moved to lost+found.</summary>
    public static bool IsLost(string path) => path.StartsWith(LostFound, StringComparison.Ordinal);

    /// <summary>Reads all of a volume.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="isTolerant">Whether what cannot be read is noted rather than thrown.</param>
    public static async Task<FoundTree> ReadAsync(Volume volume, bool isTolerant)
    {
        var tree = new FoundTree();
        var directories = new Stack<string>(["/"]);
        while (directories.TryPop(out string? directory))
        {
            try
            {
                await tree.ReadDirectoryAsync(volume, directory, directories, isTolerant);
            }
            catch (FileSystemException e) when (isTolerant)
            {
                tree.Unreadable.Add($"{directory}: {e.Message}");
            }
        }

        return tree;
    }

    /// <summary>Reads a folder of the host, but for attributes and inode numbers.</summary>
    public static FoundTree ReadFolder(string root)
    {
        var tree = new FoundTree();
        foreach (FileSystemInfo info in new DirectoryInfo(root).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            string path = info.FullName[root.Length..];
            FileKind kind = info.LinkTarget is not null ? FileKind.SymbolicLink : info is DirectoryInfo ? FileKind.Directory : FileKind.Regular;
            if (path != LostFound)
            {
                byte[] content = kind == FileKind.Regular ? File.ReadAllBytes(info.FullName) : [];
                tree._entries.Add(path, new FoundEntry(path, kind, 0, content, info.LinkTarget, s_none));
            }
        }

        return tree;
    }

    /// <summary>A hash of all that a user can see.</summary>
    public ulong Hash(bool hasAttributes = true)
    {
        var hash = new ContentHash();
        foreach (FoundEntry entry in _entries.Values)
        {
            hash.Add(entry.Path);
            hash.Add((ulong)entry.Kind);
            hash.Add(entry.Content);
            hash.Add(entry.LinkTarget ?? "");
            foreach ((string name, byte[] value) in hasAttributes ? entry.Attributes : s_none)
            {
                hash.Add(name);
                hash.Add(value);
            }
        }

        return hash.Value;
    }

    private async Task ReadDirectoryAsync(Volume volume, string directory, Stack<string> directories, bool isTolerant)
    {
        await foreach (VolumeEntry entry in volume.EnumerateAsync(directory))
        {
            string path = directory.Length == 1 ? $"/{entry.Name}" : $"{directory}/{entry.Name}";
            try
            {
                FileDetails details = await volume.GetDetailsAsync(path, followLink: false);
                if (details.Kind == FileKind.Directory)
                {
                    directories.Push(path);
                }

                if (path != LostFound && !_entries.TryAdd(path, await ReadEntryAsync(volume, path, details)))
                {
                    throw new FileSystemException(IoFault.Corrupt, $"{path} {ListedTwice}");
                }
            }
            catch (FileSystemException e) when (isTolerant)
            {
                Unreadable.Add($"{path}: {e.Message}");
            }
        }
    }

    private static async Task<FoundEntry> ReadEntryAsync(Volume volume, string path, FileDetails details)
    {
        byte[] content = details.Kind == FileKind.Regular ? await ReadFileAsync(volume, path) : [];
        string? target = details.Kind == FileKind.SymbolicLink ? await volume.ReadLinkAsync(path) : null;
        var attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string name in await volume.ListAttributesAsync(path, followLink: false))
        {
            attributes[name] = await volume.GetAttributeAsync(path, name, followLink: false) ?? [];
        }

        return new FoundEntry(path, details.Kind, details.InodeNumber, content, target, attributes);
    }

    private static async Task<byte[]> ReadFileAsync(Volume volume, string path)
    {
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.Open, FileAccess.Read);
        if (file.Length > LargestFile)
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{path} has {file.Length} bytes, more than any workload writes");
        }

        var content = new byte[file.Length];
        for (int at = 0; at < content.Length;)
        {
            int bytes = await file.ReadAsync(content.AsMemory(at), at);
            if (bytes == 0)
            {
                throw new FileSystemException(IoFault.DeviceFailed, $"{path} ends at {at} of {content.Length} bytes");
            }

            at += bytes;
        }

        return content;
    }
}
