using Penstock.Cli.Naming;
using Penstock.Mapping;

namespace Penstock.Cli.Copying;

/// <summary>The files of a volume.</summary>
internal sealed class VolumeTree(Volume volume) : FileTree
{
    public Volume Volume => volume;

    public override int FilesAtOnce => 32;

    public override string Describe(string path) => $"{volume.Name}:{path}";

    public override async ValueTask<TreeFile?> FindAsync(string path, bool followLink)
    {
        if (await volume.TryGetDetailsAsync(path, followLink) is not { } details)
        {
            return null;
        }

        return new TreeFile
        {
            Kind = details.Kind,
            Permissions = details.Permissions,
            UserId = details.UserId,
            GroupId = details.GroupId,
            Length = details.Length,
            AllocatedBytes = details.AllocatedBytes,
            Links = details.Links,
            AccessTime = details.AccessTime,
            ModifyTime = details.ModifyTime,
            DeviceNumber = details.DeviceNumber,
            Identity = (0, details.InodeNumber),
        };
    }

    public override async ValueTask<List<string>> ListAsync(string path, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (VolumeEntry entry in volume.EnumerateAsync(path, cancellationToken))
        {
            names.Add(entry.Name);
        }

        names.Sort(string.CompareOrdinal);
        return names;
    }

    public override async ValueTask<TreeContent> OpenAsync(string path, CancellationToken cancellationToken) => new VolumeContent(
        await volume.OpenFileAsync(path, FileMode.Open, FileAccess.Read, cancellationToken: cancellationToken),
        hasSettled: volume.ReadOnlyReason is not null);

    public override async ValueTask<TreeContent> CreateAsync(string path, UnixFileMode permissions, CancellationToken cancellationToken) =>
        new VolumeContent(
            await volume.OpenFileAsync(path, FileMode.Create, FileAccess.Write, IoOptions.None, permissions, cancellationToken),
            hasSettled: false);

    public override ValueTask MakeDirectoryAsync(string path, UnixFileMode permissions) => volume.CreateDirectoryAsync(path, permissions);

    public override ValueTask MakeSymbolicLinkAsync(string path, string target) => volume.CreateSymbolicLinkAsync(path, target);

    public override ValueTask MakeHardLinkAsync(string existing, string path) => volume.CreateHardLinkAsync(existing, path);

    public override ValueTask MakeNodeAsync(string path, TreeFile file) =>
        volume.CreateNodeAsync(path, file.Kind, file.Permissions, file.DeviceNumber);

    public override ValueTask RemoveAsync(string path) => volume.DeleteFileAsync(path);

    public override ValueTask<string> ReadLinkAsync(string path) => volume.ReadLinkAsync(path);

    public override async ValueTask<List<(string Name, byte[] Value)>> ReadAttributesAsync(string path)
    {
        var attributes = new List<(string, byte[])>();
        foreach (string name in await volume.ListAttributesAsync(path, followLink: false))
        {
            if (await volume.GetAttributeAsync(path, name, followLink: false) is { } value)
            {
                attributes.Add((name, value));
            }
        }

        return attributes;
    }

    public override ValueTask SetAttributeAsync(string path, string name, ReadOnlyMemory<byte> value) =>
        volume.SetAttributeAsync(path, name, value, followLink: false);

    public override ValueTask SetPermissionsAsync(string path, UnixFileMode permissions) =>
        volume.SetDetailsAsync(path, permissions: permissions, followLink: false);

    public override ValueTask SetOwnerAsync(string path, uint userId, uint groupId) =>
        volume.SetDetailsAsync(path, userId: userId, groupId: groupId, followLink: false);

    public override ValueTask SetTimesAsync(string path, Timestamp access, Timestamp modify) =>
        volume.SetDetailsAsync(path, accessTime: access, modifyTime: modify, followLink: false);

    public override string Join(string directory, string name) => VolumePath.Join(directory, name);

    /// <param name="file">The file; closed with this.</param>
    /// <param name="hasSettled">Whether nothing of the volume is only in memory, so that a hole in the mapping is a hole.</param>
    private sealed class VolumeContent(OpenFile file, bool hasSettled) : TreeContent
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken) =>
            file.ReadAsync(buffer, offset, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken)
        {
            while (!bytes.IsEmpty)
            {
                int written = await file.WriteAsync(bytes, offset, cancellationToken);
                bytes = bytes[written..];
                offset += written;
            }
        }

        public override async ValueTask<long> SkipHoleAsync(long offset)
        {
            if (!hasSettled || file.Inode.HasInlineData || file.Inode.Mapper is not { } mapper)
            {
                return offset;
            }

            long blockSize = mapper.BlockSize;
            while (offset < file.Length)
            {
                ulong first = (ulong)(offset / blockSize);
                BlockRun run = await mapper.MapAsync(new FileBlock(first), mapper.MaxBlocks - first);
                if (run.State == MapState.Mapped)
                {
                    return offset;
                }

                offset = (long)Math.Min(run.End.Value, (ulong)(long.MaxValue / blockSize)) * blockSize;
            }

            return file.Length;
        }

        public override ValueTask SetLengthAsync(long length) => file.SetLengthAsync(length);

        public override ValueTask DisposeAsync() => file.DisposeAsync();
    }
}
