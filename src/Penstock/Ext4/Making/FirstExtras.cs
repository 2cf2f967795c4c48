using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>What single features ask for: the orphan file, the mmp block, the quota files, the fields of casefold and encrypt.</summary>
internal static class FirstExtras
{
    private const ushort OrphanFileMode = 0x8180; // -rw-------
    private const ushort MmpInterval = 5;
    private const ushort Utf8Encoding = 1;
    private const byte Aes256Xts = 1;
    private const byte Aes256Cts = 4;
    private const ulong VolumeBlocksPerOrphanBlock = 4096;
    private const ulong MinOrphanBlocks = 32;
    private const ulong MaxOrphanBlocks = 512;

    /// <summary>Fills the superblock's fields for them.</summary>
    public static void Describe(Superblock superblock)
    {
        if (superblock.Has(IncompatFeatures.CaseFold))
        {
            superblock.Encoding = Utf8Encoding;
        }

        if (superblock.Has(IncompatFeatures.Encrypt))
        {
            superblock.EncryptionAlgorithms[0] = Aes256Xts;
            superblock.EncryptionAlgorithms[1] = Aes256Cts;
        }
    }

    public static async ValueTask MakeAsync(MakingContext context)
    {
        if (context.Superblock.Has(IncompatFeatures.Mmp))
        {
            await MakeMmpAsync(context).ConfigureAwait(false);
        }

        if (context.Superblock.Has(ReadOnlyCompatFeatures.Quota))
        {
            await FirstQuotas.MakeAsync(context).ConfigureAwait(false);
        }

        if (context.Superblock.Has(CompatFeatures.OrphanFile))
        {
            await MakeOrphanFileAsync(context).ConfigureAwait(false);
        }
    }

    private static async ValueTask MakeMmpAsync(MakingContext context)
    {
        VolumeBlock place = context.Space.TakeOne();
        byte[] block = new byte[context.Geometry.BlockSize];
        new MmpBlock(MmpBlock.SequenceClean, 0, string.Empty, string.Empty, MmpInterval).WriteTo(block, context.Checksum);
        await context.WriteBlockAsync(place, block).ConfigureAwait(false);
        context.Superblock.MmpBlock = place.Value;
        context.Superblock.MmpInterval = MmpInterval;
    }

    private static async ValueTask MakeOrphanFileAsync(MakingContext context)
    {
        VolumeGeometry geometry = context.Geometry;
        uint number = context.NextInode();
        MadeFile file = context.AddFile(number, OrphanFileMode);
        ulong blocks = Math.Clamp(geometry.BlockCount / VolumeBlocksPerOrphanBlock, MinOrphanBlocks, MaxOrphanBlocks);
        ulong ratio = (ulong)geometry.ClusterRatio;
        blocks = (blocks + ratio - 1) / ratio * ratio;
        await file.AllocateAsync(blocks).ConfigureAwait(false);
        byte[] block = new byte[geometry.BlockSize];
        for (ulong i = 0; i < blocks; i++)
        {
            VolumeBlock place = file.BlockAt(i);
            OrphanBlock.WriteTail(block, place.Value, context.Checksum.IsUsed, context.Checksum.SeedOf(file.Number, file.Inode.Generation));
            await context.WriteBlockAsync(place, block).ConfigureAwait(false);
        }

        context.Superblock.OrphanFileInode = number;
    }
}
