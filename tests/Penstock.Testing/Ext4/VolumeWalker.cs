using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Testing.Ext4;

/// <summary>
/// Walks everything on a volume that may be damaged: names, attributes, targets of links, maps of blocks. Faults are noted and the walk goes
/// on; an exception of any other kind escapes, and is a defect.
/// </summary>
internal sealed class VolumeWalker(FileSystem fileSystem, int mostInodes = 4000)
{
    private readonly Namespace names = new(fileSystem);
    private readonly HashSet<InodeNumber> seen = [];

    public List<FileSystemException> Faults { get; } = [];

    public int Inodes => seen.Count;

    public async Task<VolumeWalker> RunAsync()
    {
        Inode root = await names.GetRootAsync();
        await VisitAsync(root);
        await fileSystem.Inodes.ReleaseAsync(root);
        return this;
    }

    private async Task VisitAsync(Inode first)
    {
        var waiting = new Stack<InodeNumber>();
        waiting.Push(first.Number);
        while (waiting.Count > 0 && seen.Count < mostInodes)
        {
            InodeNumber number = waiting.Pop();
            if (seen.Add(number))
            {
                await TryAsync(() => VisitOneAsync(number, waiting));
            }
        }
    }

    private async Task VisitOneAsync(InodeNumber number, Stack<InodeNumber> waiting)
    {
        Inode inode = await fileSystem.Inodes.GetAsync(number);
        try
        {
            await TryAsync(() => ReadAttributesAsync(inode));
            switch (inode.Kind)
            {
                case FileKind.Directory:
                    await TryAsync(() => ReadNamesAsync(inode, waiting));
                    break;
                case FileKind.SymbolicLink:
                    await TryAsync(() => inode.ReadLinkAsync().AsTask());
                    break;
                case FileKind.Regular when inode.HasInlineData:
                    inode.ReadInline(new byte[Math.Min(inode.Size, 4096)]);
                    break;
                case FileKind.Regular:
                    await TryAsync(() => MapAsync(inode));
                    break;
            }
        }
        finally
        {
            await fileSystem.Inodes.ReleaseAsync(inode);
        }
    }

    private async Task ReadNamesAsync(Inode directory, Stack<InodeNumber> waiting)
    {
        ulong position = 0;
        for (int calls = 0; calls < 400; calls++)
        {
            var sink = new Batch(position);
            await names.ReadDirectoryAsync(directory, position, sink);
            if (sink.Names.Count == 0)
            {
                return;
            }

            position = sink.Position;
            foreach ((byte[] name, InodeNumber number) in sink.Names)
            {
                waiting.Push(number);
                if (seen.Count < 300)
                {
                    await TryAsync(async () =>
                    {
                        if (await names.TryLookupAsync(directory, FileName.From(name)) is { } found)
                        {
                            await fileSystem.Inodes.ReleaseAsync(found);
                        }
                    });
                }
            }
        }
    }

    private static async Task ReadAttributesAsync(Inode inode)
    {
        foreach (FileName name in await inode.ListAttributesAsync())
        {
            await inode.GetAttributeAsync(name);
        }
    }

    private static async Task MapAsync(Inode inode)
    {
        BlockMapper mapper = inode.Mapper!;
        ulong blocks = Math.Min(((ulong)inode.Size / (uint)mapper.BlockSize) + 1, mapper.MaxBlocks);
        var at = default(FileBlock);
        for (int runs = 0; runs < 500 && at.Value < blocks; runs++)
        {
            BlockRun run = await mapper.MapAsync(at, blocks - at.Value);
            at = run.End;
        }
    }

    private async Task TryAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (FileSystemException fault)
        {
            Faults.Add(fault);
        }
    }

    private sealed class Batch(ulong start) : IDirectorySink
    {
        private const int Most = 200;

        public List<(byte[] Name, InodeNumber Number)> Names { get; } = [];

        public ulong Position { get; private set; } = start;

        public bool Add(ReadOnlySpan<byte> name, InodeNumber number, FileKind kind, ulong next)
        {
            if (Names.Count == Most)
            {
                return false;
            }

            Names.Add((name.ToArray(), number));
            Position = next;
            return true;
        }
    }
}
