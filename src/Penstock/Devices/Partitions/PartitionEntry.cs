namespace Penstock.Devices.Partitions;

/// <summary>One partition, as its table says, within the disk.</summary>
/// <param name="Number">Its number, from 1, as the kernel and sfdisk count: logical partitions of an MBR from 5 on.</param>
/// <param name="Offset">Where it begins on the disk, in bytes.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Scheme">"GPT" or "MBR".</param>
internal readonly record struct PartitionEntry(int Number, long Offset, long Length, string Scheme);
