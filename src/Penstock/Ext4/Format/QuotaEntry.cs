using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>What one id may use and uses (v2r1_disk_dqblk); a limit of 0 is none.</summary>
/// <param name="Id">dqb_id.</param>
/// <param name="Inodes">dqb_curinodes.</param>
/// <param name="Bytes">dqb_curspace.</param>
/// <param name="HardInodes">dqb_ihardlimit.</param>
/// <param name="SoftInodes">dqb_isoftlimit.</param>
/// <param name="HardBlocks">dqb_bhardlimit, in KiB.</param>
/// <param name="SoftBlocks">dqb_bsoftlimit, in KiB.</param>
/// <param name="BlockGraceEnd">dqb_btime.</param>
/// <param name="InodeGraceEnd">dqb_itime.</param>
internal readonly record struct QuotaEntry(
    uint Id,
    ulong Inodes,
    ulong Bytes,
    ulong HardInodes = 0,
    ulong SoftInodes = 0,
    ulong HardBlocks = 0,
    ulong SoftBlocks = 0,
    ulong BlockGraceEnd = 0,
    ulong InodeGraceEnd = 0)
{
    public const int Size = 72;

    public static QuotaEntry Read(ReadOnlySpan<byte> raw) => new(
        U32(raw, 0x00), U64(raw, 0x18), U64(raw, 0x30), U64(raw, 0x08), U64(raw, 0x10), U64(raw, 0x20), U64(raw, 0x28), U64(raw, 0x38), U64(raw, 0x40));

    public void WriteTo(Span<byte> raw)
    {
        U32(raw, 0x00, Id);
        U32(raw, 0x04, 0); // dqb_pad
        U64(raw, 0x08, HardInodes);
        U64(raw, 0x10, SoftInodes);
        U64(raw, 0x18, Inodes);
        U64(raw, 0x20, HardBlocks);
        U64(raw, 0x28, SoftBlocks);
        U64(raw, 0x30, Bytes);
        U64(raw, 0x38, BlockGraceEnd);
        U64(raw, 0x40, InodeGraceEnd);
    }
}
