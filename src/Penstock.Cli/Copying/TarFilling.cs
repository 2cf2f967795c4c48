using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Copying;

/// <summary>Fills a tree from a tar file, plain or gzip.</summary>
internal sealed class TarFilling(FileTree target, Progress progress, CancellationToken cancellationToken)
{
    private const string AttributePrefix = "SCHILY.xattr.";
    private const int BufferBytes = 1 << 20;

    private readonly byte[] _buffer = new byte[BufferBytes];

    /// <summary>Directories get their details when nothing in them changes any more.</summary>
    private readonly List<(string Path, TarEntry Entry)> _directories = [];

    public async Task FillAsync(string file)
    {
        await using FileStream stream = File.OpenRead(file);
        await using Stream plain = IsCompressed(stream) ? new GZipStream(stream, CompressionMode.Decompress) : stream;
        await using var reader = new TarReader(plain);
        try
        {
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
            {
                await AddAsync(entry);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new IOException($"{file}: no tar file that can be read ({e.Message}); it may be plain or gzip");
        }

        for (int i = _directories.Count - 1; i >= 0; i--)
        {
            await KeepAsync(_directories[i].Path, _directories[i].Entry);
        }
    }

    private static bool IsCompressed(FileStream stream)
    {
        bool isCompressed = stream.ReadByte() == 0x1F && stream.ReadByte() == 0x8B;
        stream.Position = 0;
        return isCompressed;
    }

    /// <summary>The path in the tree. What would lead out of it is refused.</summary>
    private static string ToPath(string name)
    {
        var path = new StringBuilder();
        foreach (string part in name.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                throw new IOException($"the tar file has a name that leads out of it: {name}");
            }

            if (part != ".")
            {
                path.Append('/').Append(part);
            }
        }

        return path.Length == 0 ? "/" : path.ToString();
    }

    private async Task AddAsync(TarEntry entry)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
        {
            return;
        }

        string path = ToPath(entry.Name);
        if (entry.EntryType is TarEntryType.Directory or TarEntryType.DirectoryList)
        {
            await EnsureDirectoryAsync(path);
            _directories.Add((path, entry));
            return;
        }

        await EnsureDirectoryAsync(path[..Math.Max(path.LastIndexOf('/'), 1)]);
        if (await target.FindAsync(path, followLink: false) is { Kind: not FileKind.Directory })
        {
            // In a tar file the last of a name counts.
            await target.RemoveAsync(path);
        }

        await MakeAsync(path, entry);
        progress.AddFile();
        if (entry.EntryType != TarEntryType.HardLink)
        {
            await KeepAsync(path, entry);
        }
    }

    private async Task MakeAsync(string path, TarEntry entry)
    {
        switch (entry.EntryType)
        {
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                await MakeFileAsync(path, entry);
                break;
            case TarEntryType.SymbolicLink:
                await target.MakeSymbolicLinkAsync(path, entry.LinkName);
                break;
            case TarEntryType.HardLink:
                await target.MakeHardLinkAsync(ToPath(entry.LinkName), path);
                break;
            case TarEntryType.CharacterDevice or TarEntryType.BlockDevice or TarEntryType.Fifo:
                await target.MakeNodeAsync(path, DescribeNode(entry));
                break;
            default:
                throw new IOException($"{entry.Name}: the tar file has an entry of type {entry.EntryType}, which is not supported");
        }
    }

    private static TreeFile DescribeNode(TarEntry entry)
    {
        var posix = entry as PosixTarEntry;
        return new TreeFile
        {
            Kind = entry.EntryType switch
            {
                TarEntryType.CharacterDevice => FileKind.CharacterDevice,
                TarEntryType.BlockDevice => FileKind.BlockDevice,
                _ => FileKind.Pipe,
            },
            Permissions = entry.Mode,
            DeviceNumber = entry.EntryType == TarEntryType.Fifo || posix is null
                ? 0
                : DeviceNumbers.Join((uint)posix.DeviceMajor, (uint)posix.DeviceMinor),
        };
    }

    private async Task MakeFileAsync(string path, TarEntry entry)
    {
        await using TreeContent content = await target.CreateAsync(path, entry.Mode, cancellationToken);
        if (entry.DataStream is not { } data)
        {
            return;
        }

        long offset = 0;
        for (int length; (length = await data.ReadAtLeastAsync(_buffer, BufferBytes, throwOnEndOfStream: false, cancellationToken)) > 0; offset += length)
        {
            await content.WriteAsync(_buffer.AsMemory(0, length), offset, cancellationToken);
            progress.AddBytes(length);
        }
    }

    private async Task EnsureDirectoryAsync(string path)
    {
        if (path == "/" || await target.FindAsync(path, followLink: true) is { Kind: FileKind.Directory })
        {
            return;
        }

        await EnsureDirectoryAsync(path[..Math.Max(path.LastIndexOf('/'), 1)]);
        await target.MakeDirectoryAsync(path, (UnixFileMode)0x1ED);
        progress.AddFile();
    }

    private async Task KeepAsync(string path, TarEntry entry)
    {
        await target.SetOwnerAsync(path, (uint)entry.Uid, (uint)entry.Gid);
        var extended = (entry as PaxTarEntry)?.ExtendedAttributes;
        if (extended is not null)
        {
            foreach ((string key, string value) in extended)
            {
                if (key.StartsWith(AttributePrefix, StringComparison.Ordinal))
                {
                    await target.SetAttributeAsync(path, key[AttributePrefix.Length..], Encoding.UTF8.GetBytes(value));
                }
            }
        }

        if (entry.EntryType != TarEntryType.SymbolicLink)
        {
            await target.SetPermissionsAsync(path, entry.Mode);
        }

        Timestamp modified = ReadTime(extended, "mtime") ?? Timestamp.From(entry.ModificationTime);
        await target.SetTimesAsync(path, ReadTime(extended, "atime") ?? modified, modified);
    }

    /// <summary>A time of a pax header, whose nanoseconds a <see cref="DateTimeOffset"/> would lose.</summary>
    private static Timestamp? ReadTime(IReadOnlyDictionary<string, string>? extended, string key)
    {
        if (extended is null || !extended.TryGetValue(key, out string? text)
            || !decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal time))
        {
            return null;
        }

        decimal seconds = Math.Floor(time);
        return new Timestamp((long)seconds, (int)((time - seconds) * Timestamp.NanosecondsPerSecond));
    }
}
