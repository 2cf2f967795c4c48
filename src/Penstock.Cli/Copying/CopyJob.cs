using Penstock.Cli.Output;

namespace Penstock.Cli.Copying;

/// <summary>Copies files and trees from one <see cref="FileTree"/> to another. A file that fails is told of, and the rest goes on.</summary>
internal sealed class CopyJob(FileTree from, FileTree to, CopyOptions options, Terminal terminal, Progress progress, CancellationToken cancellationToken)
{
    /// <summary>The new name of each file that has several, by its identity.</summary>
    private readonly Dictionary<(ulong, ulong), string> _copied = [];

    /// <summary>Whether some file could not be copied.</summary>
    public bool HasFailures { get; private set; }

    /// <summary>Copies what <paramref name="source"/> names to exactly <paramref name="target"/>.</summary>
    public async Task CopyAsync(string source, string target)
    {
        bool followLink = options.FollowsLinks || !options.IsRecursive;
        TreeFile file = await from.FindAsync(source, followLink)
            ?? throw new FileSystemException(IoFault.NotFound, $"{from.Describe(source)}: {IoFault.NotFound.Describe()}");
        if (file.Kind == FileKind.Directory && !options.IsRecursive)
        {
            throw new FileSystemException(IoFault.IsADirectory, $"{from.Describe(source)}: is a directory; copy it with -r");
        }

        if (IsInside(source, target))
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{to.Describe(target)}: is in what is to be copied there");
        }

        await CopyFoundAsync(source, target, file);
    }

    /// <summary>Copies what is in a directory into another that exists, with the details of the directory itself.</summary>
    public async Task CopyChildrenAsync(string source, string target, TreeFile directory)
    {
        var underWay = new Queue<Task>();
        try
        {
            foreach (string name in await from.ListAsync(source, cancellationToken))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (await FindChildAsync(from.Join(source, name)) is not { } file)
                {
                    continue;
                }

                Task copy = CopyChildAsync(from.Join(source, name), to.Join(target, name), file);
                underWay.Enqueue(copy);
                while (underWay.Count > (MayGoAlong(file) ? from.FilesAtOnce - 1 : 0))
                {
                    await underWay.Dequeue();
                }
            }

            await Task.WhenAll(underWay);
        }
        finally
        {
            await Task.WhenAll(underWay).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await KeepAsync(source, target, directory);
    }

    /// <summary>Whether the next file may begin before this one is copied. Another name of a file must find the first one whole.</summary>
    private bool MayGoAlong(TreeFile file) => file.Kind == FileKind.Regular && (file.Links == 1 || !options.KeepsHardLinks);

    private async Task<TreeFile?> FindChildAsync(string path)
    {
        try
        {
            return await from.FindAsync(path, options.FollowsLinks);
        }
        catch (Exception e) when (IsOfOneFile(e))
        {
            TellOf(path, e);
            return null;
        }
    }

    private async Task CopyChildAsync(string source, string target, TreeFile file)
    {
        try
        {
            await CopyFoundAsync(source, target, file);
        }
        catch (Exception e) when (IsOfOneFile(e))
        {
            TellOf(source, e);
        }
    }

    private void TellOf(string path, Exception failure)
    {
        lock (_copied)
        {
            HasFailures = true;
            terminal.Error.WriteLine($"penstock: {from.Describe(path)}: not copied: {failure.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>Without room, or with a device that fails, going on is no use.</summary>
    private static bool IsOfOneFile(Exception failure) => failure switch
    {
        DeviceException or CorruptVolumeException => false,
        FileSystemException e => e.Fault is not (IoFault.NoSpace or IoFault.DeviceFailed or IoFault.ReadOnly),
        IOException or UnauthorizedAccessException => true,
        _ => false,
    };

    private async Task CopyFoundAsync(string source, string target, TreeFile file)
    {
        terminal.Subject = to.Describe(target);
        TreeFile? existing = await to.FindAsync(target, followLink: file.Kind is FileKind.Directory or FileKind.Regular);
        if (file.Kind == FileKind.Directory)
        {
            await CopyDirectoryAsync(source, target, file, existing);
            return;
        }

        if (existing is { Kind: FileKind.Directory })
        {
            throw new FileSystemException(IoFault.IsADirectory, $"{to.Describe(target)}: is a directory, and would be replaced by a file");
        }

        if (existing is not null && (options.ReplacesNothing || IsSame(existing.Value, file)))
        {
            return;
        }

        progress.AddFile();
        if (options.KeepsHardLinks && file.Links > 1)
        {
            if (_copied.TryGetValue(file.Identity, out string? copied))
            {
                await RemoveAsync(target, existing);
                await to.MakeHardLinkAsync(copied, target);
                return;
            }

            _copied[file.Identity] = target;
        }

        await CopyContentAsync(source, target, file, existing);
        await KeepAsync(source, target, file);
    }

    private async Task CopyDirectoryAsync(string source, string target, TreeFile file, TreeFile? existing)
    {
        if (existing is { Kind: not FileKind.Directory })
        {
            throw new FileSystemException(IoFault.NotADirectory, $"{to.Describe(target)}: is not a directory, and would be replaced by one");
        }

        if (existing is null)
        {
            await to.MakeDirectoryAsync(target, file.Permissions);
            progress.AddFile();
        }

        await CopyChildrenAsync(source, target, file);
    }

    private async Task CopyContentAsync(string source, string target, TreeFile file, TreeFile? existing)
    {
        if (file.Kind == FileKind.Regular)
        {
            await using TreeContent content = await from.OpenAsync(source, cancellationToken);
            await using TreeContent copy = await to.CreateAsync(target, file.Permissions, cancellationToken);
            await ContentPump.CopyAsync(content, copy, file, progress.AddBytes, cancellationToken);
            return;
        }

        await RemoveAsync(target, existing);
        await (file.Kind == FileKind.SymbolicLink
            ? to.MakeSymbolicLinkAsync(target, await from.ReadLinkAsync(source))
            : to.MakeNodeAsync(target, file));
    }

    private async Task RemoveAsync(string target, TreeFile? existing)
    {
        if (existing is not null)
        {
            await to.RemoveAsync(target);
        }
    }

    /// <summary>Owner before permissions, since a change of owner takes setuid away; times last, since all else changes them.</summary>
    private async Task KeepAsync(string source, string target, TreeFile file)
    {
        if (options.KeepsDetails)
        {
            await to.SetOwnerAsync(target, file.UserId, file.GroupId);
        }

        if (options.KeepsAttributes)
        {
            foreach ((string name, byte[] value) in await from.ReadAttributesAsync(source))
            {
                await to.SetAttributeAsync(target, name, value);
            }
        }

        if (!options.KeepsDetails)
        {
            return;
        }

        if (file.Kind != FileKind.SymbolicLink)
        {
            await to.SetPermissionsAsync(target, file.Permissions);
        }

        await to.SetTimesAsync(target, file.AccessTime, file.ModifyTime);
    }

    private bool IsSame(TreeFile existing, TreeFile file) =>
        ReferenceEquals(from, to) && existing.Identity == file.Identity
            ? throw new FileSystemException(IoFault.InvalidArgument, "source and target are the same file")
            : false;

    private bool IsInside(string source, string target) =>
        ReferenceEquals(from, to) && options.IsRecursive && $"{target.TrimEnd('/')}/".StartsWith($"{source.TrimEnd('/')}/", StringComparison.Ordinal);
}
