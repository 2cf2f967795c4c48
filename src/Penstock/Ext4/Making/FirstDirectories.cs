using Penstock.Ext4.Format;

namespace Penstock.Ext4.Making;

/// <summary>Makes the root directory and lost+found.</summary>
internal static class FirstDirectories
{
    public const uint RootInode = 2;

    private const ushort RootMode = 0x41ED; // drwxr-xr-x
    private const ushort LostAndFoundMode = 0x41C0; // drwx------
    private const int LostAndFoundSize = 16 * 1024;

    public static async ValueTask MakeAsync(MakingContext context)
    {
        uint lostAndFound = context.Geometry.FirstInode;
        MadeFile root = context.AddFile(RootInode, RootMode, links: 3);
        await root.AllocateAsync(1).ConfigureAwait(false);
        await WriteFirstBlockAsync(context, root, RootInode, lostAndFound).ConfigureAwait(false);

        MadeFile made = context.AddFile(lostAndFound, LostAndFoundMode, links: 2);

        // e2fsck must find room there without allocating: 16 KiB, and so at least two blocks, but no indirect ones.
        int blocks = Math.Clamp(LostAndFoundSize / context.Geometry.BlockSize, 2, IndirectMap.DirectCount);
        await made.AllocateAsync((ulong)blocks).ConfigureAwait(false);
        await WriteFirstBlockAsync(context, made, RootInode, 0).ConfigureAwait(false);
        byte[] empty = new byte[context.Geometry.BlockSize];
        for (int i = 1; i < blocks; i++)
        {
            DirectoryBlock.Clear(empty, new DirectoryFormat(context.Superblock, InodeFlags.None));
            await WriteAsync(context, made, (ulong)i, empty).ConfigureAwait(false);
        }
    }

    private static async ValueTask WriteFirstBlockAsync(MakingContext context, MadeFile directory, uint parent, uint child)
    {
        byte[] block = new byte[context.Geometry.BlockSize];
        var format = new DirectoryFormat(context.Superblock, InodeFlags.None);
        DirectoryFileType type = format.HasFileType ? DirectoryFileType.Directory : DirectoryFileType.Unknown;
        int usable = format.UsableBytes(block.Length);
        DirectoryEntry.Write(block, 0, (uint)directory.Number.Value, 12, "."u8, type);
        DirectoryEntry.Write(block, 12, parent, child == 0 ? usable - 12 : 12, ".."u8, type);
        if (child != 0)
        {
            DirectoryEntry.Write(block, 24, child, usable - 24, "lost+found"u8, type);
        }

        await WriteAsync(context, directory, 0, block).ConfigureAwait(false);
    }

    private static ValueTask WriteAsync(MakingContext context, MadeFile directory, ulong index, byte[] block)
    {
        if (context.Checksum.IsUsed)
        {
            DirectoryTail.Write(block, context.Checksum.SeedOf(directory.Number, directory.Inode.Generation));
        }

        return context.WriteBlockAsync(directory.BlockAt(index), block);
    }
}
