using Penstock.Caching;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>Where a file has content and where it has holes: seek data, seek hole, and the map of extents. Delayed pages count as content.</summary>
internal static class ExtentPath
{
    /// <summary>The first offset from <paramref name="offset"/> on that holds data (SEEK_DATA).</summary>
    /// <exception cref="FileSystemException">NoSuchRange: the offset is not inside the file, or nothing but a hole follows.</exception>
    public static async ValueTask<long> SeekDataAsync(Inode inode, long offset)
    {
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            long size = RequireInside(inode, offset);
            while (offset < size)
            {
                Piece piece = await FindAsync(inode, offset, size).ConfigureAwait(false);
                if (piece.IsData)
                {
                    return offset;
                }

                offset = piece.End;
            }

            throw new FileSystemException(IoFault.NoSuchRange, $"{inode}: no data follows");
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }

    /// <summary>The first offset from <paramref name="offset"/> on that holds none (SEEK_HOLE); there is one at the end of every file.</summary>
    /// <exception cref="FileSystemException">NoSuchRange: the offset is not inside the file.</exception>
    public static async ValueTask<long> SeekHoleAsync(Inode inode, long offset)
    {
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            long size = RequireInside(inode, offset);
            while (offset < size)
            {
                Piece piece = await FindAsync(inode, offset, size).ConfigureAwait(false);
                if (!piece.IsData)
                {
                    return offset;
                }

                offset = piece.End;
            }

            return size;
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }

    /// <summary>The extents that touch a range, at most <paramref name="most"/> of them (FIEMAP). Preallocated ones beyond the end are told too.</summary>
    public static async ValueTask<IReadOnlyList<FileExtent>> MapAsync(Inode inode, long offset, long length, int most)
    {
        var extents = new List<FileExtent>();
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            if (inode.HasInlineData)
            {
                extents.Add(new FileExtent(0, 0, inode.Size, FileExtentFlags.Inline | FileExtentFlags.Last));
                return extents;
            }

            BlockMapper mapper = inode.Mapper!;
            long limit = mapper.MaxBlocks > (ulong)(long.MaxValue / mapper.BlockSize)
                ? long.MaxValue & -mapper.BlockSize
                : (long)mapper.MaxBlocks * mapper.BlockSize;
            long end = length > limit - offset ? limit : offset + length;
            while (offset < end && extents.Count < most)
            {
                Piece piece = await FindAsync(inode, offset, limit).ConfigureAwait(false);
                Add(extents, piece);
                offset = piece.End;
            }

            if (extents.Count > 0 && offset >= limit)
            {
                extents[^1] = extents[^1] with { Flags = extents[^1].Flags | FileExtentFlags.Last };
            }

            return extents;
        }
        finally
        {
            inode.Lock.ReleaseShared();
        }
    }

    private static long RequireInside(Inode inode, long offset)
    {
        long size = inode.Size;
        return offset >= 0 && offset < size
            ? size
            : throw new FileSystemException(IoFault.NoSuchRange, $"{inode}: offset {offset} is not inside the file");
    }

    /// <summary>Adds a piece, as part of the extent before it where it goes on from there.</summary>
    private static void Add(List<FileExtent> extents, in Piece piece)
    {
        if (piece.Kind == PieceKind.Hole)
        {
            return;
        }

        FileExtentFlags flags = piece.Kind switch
        {
            PieceKind.Delayed => FileExtentFlags.Delayed,
            PieceKind.Unwritten or PieceKind.DirtyUnwritten => FileExtentFlags.Unwritten,
            _ => FileExtentFlags.None,
        };
        var extent = new FileExtent(piece.Offset, piece.Device, piece.End - piece.Offset, flags);
        if (extents.Count > 0 && extents[^1] is var last && last.Flags == flags && last.Offset + last.Length == extent.Offset
            && (flags == FileExtentFlags.Delayed || last.Device + last.Length == extent.Device))
        {
            extents[^1] = last with { Length = last.Length + extent.Length };
            return;
        }

        extents.Add(extent);
    }

    /// <summary>What stands at <paramref name="offset"/>, and how far that goes, at most to <paramref name="end"/>.</summary>
    private static async ValueTask<Piece> FindAsync(Inode inode, long offset, long end)
    {
        if (inode.HasInlineData)
        {
            return new Piece(PieceKind.Written, offset, end, 0);
        }

        BlockMapper mapper = inode.Mapper!;
        long blockSize = mapper.BlockSize;
        long first = offset / blockSize;
        long last = (end - 1) / blockSize;
        var block = new FileBlock((ulong)first);
        if (!mapper.TryMap(block, (ulong)(last - first + 1), out BlockRun run))
        {
            run = await mapper.MapAsync(block, (ulong)(last - first + 1)).ConfigureAwait(false);
        }

        last = first + (long)run.Count - 1;
        PieceKind kind = run.State switch
        {
            MapState.Mapped => PieceKind.Written,
            MapState.Unwritten => PieceKind.Unwritten,
            _ => PieceKind.Hole,
        };
        if (kind != PieceKind.Written)
        {
            last = CutAtDirty(inode.Pages!, first, last, ref kind);
        }

        long device = run.IsAllocated ? ((long)run.Volume.Value * blockSize) + (offset % blockSize) : 0;
        return new Piece(kind, offset, Math.Min((last + 1) * blockSize, end), device);
    }

    /// <summary>A hole or unwritten run is cut where the cache begins, or ceases, to have content that is not on the volume yet.</summary>
    private static long CutAtDirty(FilePages pages, long first, long last, ref PieceKind kind)
    {
        long dirty = pages.FindDirtyBlock(first, last);
        if (dirty < 0)
        {
            return last;
        }

        if (dirty > first)
        {
            return dirty - 1;
        }

        kind = kind == PieceKind.Hole ? PieceKind.Delayed : PieceKind.DirtyUnwritten;
        return first + Math.Max(1, pages.CountDirtyBlocks(first, last)) - 1;
    }

    private enum PieceKind : byte
    {
        Hole,
        Unwritten,
        Written,

        /// <summary>A hole with dirty content in the cache.</summary>
        Delayed,

        /// <summary>Unwritten, with dirty content in the cache.</summary>
        DirtyUnwritten,
    }

    private readonly record struct Piece(PieceKind Kind, long Offset, long End, long Device)
    {
        public bool IsData => Kind is PieceKind.Written or PieceKind.Delayed or PieceKind.DirtyUnwritten;
    }
}
