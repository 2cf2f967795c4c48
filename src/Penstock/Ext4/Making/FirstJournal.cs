using Penstock.Ext4.Format;
using Penstock.Journal.Format;

namespace Penstock.Ext4.Making;

/// <summary>Makes the journal's inode and an empty journal in the middle of the volume, where it is near to everything.</summary>
internal static class FirstJournal
{
    public const uint Number = 8;

    private const ushort Mode = 0x8180; // -rw-------
    private const uint MaxBlocks = 10_240_000;
    private const byte BackupOfBlocks = 1; // EXT3_JNL_BACKUP_BLOCKS

    /// <summary>Blocks of a journal for so large a volume; 0 if it is too small to have one.</summary>
    public static uint DefaultBlocks(ulong volumeBlocks) => volumeBlocks switch
    {
        < 2048 => 0,
        < 32 * 1024 => 1024,
        < 256 * 1024 => 4096,
        < 512 * 1024 => 8192,
        < 4096 * 1024 => 16384,
        < 8192 * 1024 => 32768,
        < 16384 * 1024 => 65536,
        < 32768 * 1024 => 131072,
        _ => 262144,
    };

    /// <summary>The blocks of the journal that is asked for.</summary>
    /// <exception cref="FileSystemException">It would be too small, or larger than half the volume.</exception>
    public static uint ChooseBlocks(MakingOptions options, Superblock superblock)
    {
        if (options.JournalLength is not { } length)
        {
            return DefaultBlocks(superblock.BlockCount);
        }

        long blocks = length / superblock.BlockSize;
        if (blocks < JournalSuperblock.MinBlocks || blocks > MaxBlocks || (ulong)blocks > superblock.BlockCount / 2)
        {
            throw new FileSystemException(
                IoFault.InvalidArgument,
                $"a journal of {blocks} blocks: it must have {JournalSuperblock.MinBlocks} to {MaxBlocks}, and not more than half of the volume");
        }

        return (uint)blocks;
    }

    public static async ValueTask MakeAsync(MakingContext context, uint blocks)
    {
        Superblock superblock = context.Superblock;
        MadeFile file = context.AddFile(Number, Mode);
        var middle = new BlockGroup(context.Geometry.GroupCount / 2);
        await file.AllocateAsync(blocks, context.Geometry.FirstBlockOf(middle)).ConfigureAwait(false);

        // What an earlier volume left there must never look like a transaction of this one.
        foreach (SpaceRun run in file.Runs)
        {
            await context.Writer.ZeroAsync(context.OffsetOf(run.First), (long)run.Count * context.Geometry.BlockSize).ConfigureAwait(false);
        }

        byte[] block = new byte[context.Geometry.BlockSize];
        JournalSuperblock.Create(context.Geometry.BlockSize, blocks, superblock.Uuid).WriteTo(block);
        await context.WriteBlockAsync(file.BlockAt(0), block).ConfigureAwait(false);

        superblock.JournalInode = Number;
        superblock.JournalBackupType = BackupOfBlocks;
        file.Inode.BlockField.CopyTo(superblock.JournalBackup);
        LittleEndian.U32(superblock.JournalBackup, InodeRecord.BlockFieldSize, (uint)(file.Inode.Size >> 32));
        LittleEndian.U32(superblock.JournalBackup, InodeRecord.BlockFieldSize + sizeof(uint), (uint)file.Inode.Size);
        context.JournalBlocks = blocks;
    }
}
