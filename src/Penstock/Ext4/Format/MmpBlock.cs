using System.Text;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// The multiple-mount protection block (mmp_struct): who has the volume open, and a number that changes as long as it is open.
/// See https://docs.kernel.org/filesystems/ext4/mmp.html.
/// </summary>
/// <param name="Sequence">mmp_seq.</param>
/// <param name="Time">mmp_time, in seconds; for people only.</param>
/// <param name="NodeName">mmp_nodename: the host.</param>
/// <param name="DeviceName">mmp_bdevname.</param>
/// <param name="CheckInterval">mmp_check_interval, in seconds.</param>
internal readonly record struct MmpBlock(uint Sequence, ulong Time, string NodeName, string DeviceName, ushort CheckInterval)
{
    public const int Size = 1024;
    public const uint Magic = 0x004D4D50;
    public const uint SequenceClean = 0xFF4D4D50;
    public const uint SequenceFsck = 0xE24D4D50;
    public const uint SequenceMax = 0xE24D4D4F;

    private const int ChecksumOffset = 0x3FC;
    private const int NodeNameSize = 64;
    private const int DeviceNameSize = 32;

    /// <summary>Whether nobody has the volume open.</summary>
    public bool IsClean => Sequence == SequenceClean;

    /// <summary>Whether a checker has it, or died with it.</summary>
    public bool IsBeingChecked => Sequence == SequenceFsck;

    /// <exception cref="CorruptVolumeException">The block is not one, or its checksum does not match.</exception>
    public static MmpBlock Parse(ReadOnlySpan<byte> block, Mapping.VolumeBlock location, in MetadataChecksum checksum)
    {
        uint magic = U32(block, 0);
        FormatCheck.Require(magic == Magic, "mmp block", location, "mmp_magic", $"0x{magic:x8}, expected 0x{Magic:x8}");
        if (checksum.IsUsed)
        {
            uint stored = U32(block, ChecksumOffset);
            uint computed = Crc32C.Append(checksum.Seed, block[..ChecksumOffset]);
            FormatCheck.Require(stored == computed, "mmp block", location, "mmp_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
        }

        return new MmpBlock(
            U32(block, 4), U64(block, 8), Text(block.Slice(0x10, NodeNameSize)), Text(block.Slice(0x50, DeviceNameSize)), U16(block, 0x70));
    }

    public void WriteTo(Span<byte> block, in MetadataChecksum checksum)
    {
        block.Clear();
        U32(block, 0x00, Magic); // mmp_magic
        U32(block, 0x04, Sequence); // mmp_seq
        U64(block, 0x08, Time); // mmp_time
        Text(block.Slice(0x10, NodeNameSize), NodeName); // mmp_nodename
        Text(block.Slice(0x50, DeviceNameSize), DeviceName); // mmp_bdevname
        U16(block, 0x70, CheckInterval); // mmp_check_interval
        if (checksum.IsUsed)
        {
            U32(block, ChecksumOffset, Crc32C.Append(checksum.Seed, block[..ChecksumOffset])); // mmp_checksum
        }
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private static void Text(Span<byte> field, string value)
    {
        Span<byte> bytes = Encoding.UTF8.GetBytes(value);
        bytes[..Math.Min(bytes.Length, field.Length)].CopyTo(field);
    }
}
