using System.Runtime.CompilerServices;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// What block 0 of a hashed directory says behind its "." and ".." entries (dx_root_info).
/// See https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories.
/// </summary>
/// <param name="HashVersion">hash_version.</param>
/// <param name="IndirectLevels">indirect_levels: index levels below the root.</param>
internal readonly record struct DxRoot(DirectoryHashVersion HashVersion, byte IndirectLevels)
{
    /// <summary>Where dx_root_info lies: after a "." of 12 bytes and a ".." of 12.</summary>
    public const int InfoOffset = 0x18;

    /// <summary>info_length.</summary>
    public const byte InfoLength = 8;

    /// <summary>Where the root's index entries begin.</summary>
    public const int EntriesOffset = InfoOffset + InfoLength;

    private const string Structure = "directory index root";

    /// <summary>The deepest indirect_levels: 1, and 2 with large_dir.</summary>
    public static int MaxIndirectLevels(bool hasLargeDir) => hasLargeDir ? 2 : 1;

    /// <summary>Reads the root and checks it, its entries and its checksum.</summary>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static DxRoot Parse(
        ReadOnlySpan<byte> block, in DirectoryFormat format, bool hasLargeDir, InodeBlockLocation location, uint inodeSeed)
    {
        DirectoryEntry self = DirectoryEntry.Read(block, 0);
        Require(self.RecordLength == 12, location, "rec_len", $"{self.RecordLength} of \".\", expected 12");
        DirectoryEntry parent = DirectoryEntry.Read(block, self.End);
        Require(parent.RecordLength == block.Length - 12, location, "rec_len", $"{parent.RecordLength} of \"..\", expected {block.Length - 12}");
        uint reserved = U32(block, InfoOffset);
        Require(reserved == 0, location, "reserved_zero", $"{reserved}");
        byte version = block[InfoOffset + 4];
        Require(version <= 2 || version == (byte)DirectoryHashVersion.SipHash, location, "hash_version", $"{version}");
        byte length = block[InfoOffset + 5];
        Require(length == InfoLength, location, "info_length", $"{length}, expected {InfoLength}");
        byte levels = block[InfoOffset + 6];
        Require(levels <= MaxIndirectLevels(hasLargeDir), location, "indirect_levels", $"{levels}");
        byte flags = block[InfoOffset + 7];
        Require((flags & 1) == 0, location, "unused_flags", $"0x{flags:x2}");
        DxNode.Check(block, EntriesOffset, format.HasChecksum, location, inodeSeed);
        return new DxRoot((DirectoryHashVersion)version, levels);
    }

    public void WriteTo(Span<byte> block)
    {
        U32(block, InfoOffset, 0); // reserved_zero
        block[InfoOffset + 4] = (byte)HashVersion; // hash_version
        block[InfoOffset + 5] = InfoLength; // info_length
        block[InfoOffset + 6] = IndirectLevels; // indirect_levels
        block[InfoOffset + 7] = 0; // unused_flags
    }

    private static void Require(
        bool holds, InodeBlockLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, Structure, location, field, found);
}
