using Penstock.Ext4.Format;

namespace Penstock.Ext4.Making;

/// <summary>Makes the quota files (features quota and project). They count the root directory and lost+found; reserved inodes are nobody's.</summary>
internal static class FirstQuotas
{
    private const uint UserInode = 3;
    private const uint GroupInode = 4;
    private const ushort Mode = 0x8180; // -rw-------

    public static async ValueTask MakeAsync(MakingContext context)
    {
        QuotaEntry use = CountUse(context);
        await MakeAsync(context, QuotaKind.User, UserInode, use).ConfigureAwait(false);
        context.Superblock.UserQuotaInode = UserInode;
        await MakeAsync(context, QuotaKind.Group, GroupInode, use).ConfigureAwait(false);
        context.Superblock.GroupQuotaInode = GroupInode;
        if (context.Superblock.Has(ReadOnlyCompatFeatures.Project))
        {
            uint number = context.NextInode();
            await MakeAsync(context, QuotaKind.Project, number, use).ConfigureAwait(false);
            context.Superblock.ProjectQuotaInode = number;
        }
    }

    private static QuotaEntry CountUse(MakingContext context)
    {
        ulong inodes = 0;
        ulong bytes = 0;
        foreach (MadeFile file in context.Files.Values)
        {
            if (file.Inode.IsDirectory)
            {
                inodes++;
                bytes += file.Inode.GetAllocatedBytes(context.Geometry.BlockSize);
            }
        }

        return new QuotaEntry(Id: 0, inodes, bytes);
    }

    private static async ValueTask MakeAsync(MakingContext context, QuotaKind kind, uint number, QuotaEntry use)
    {
        byte[] contents = QuotaFile.CreateFor(kind, use);
        int blockSize = context.Geometry.BlockSize;
        int blocks = (contents.Length + blockSize - 1) / blockSize;
        MadeFile file = context.AddFile(number, Mode);
        await file.AllocateAsync((ulong)blocks).ConfigureAwait(false);
        file.Inode.Size = (ulong)contents.Length;
        file.Inode.Flags |= InodeFlags.Immutable;
        byte[] block = new byte[blockSize];
        for (int i = 0; i < blocks; i++)
        {
            block.AsSpan().Clear();
            contents.AsSpan(i * blockSize, Math.Min(blockSize, contents.Length - (i * blockSize))).CopyTo(block);
            await context.WriteBlockAsync(file.BlockAt((ulong)i), block).ConfigureAwait(false);
        }
    }
}
