using System.Buffers.Binary;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Journal.Format;

namespace Penstock.Ext4.Checking;

/// <summary>The journal's inode and superblock. What waits in the log is not looked at: the volume is judged as it is without it.</summary>
internal static class JournalCheck
{
    public static async ValueTask RunAsync(CheckRun run)
    {
        Superblock s = run.Superblock;
        if (s.JournalUuid != Guid.Empty)
        {
            await ExternalJournalCheck.RunAsync(run).ConfigureAwait(false);
            return;
        }

        if (!s.Has(CompatFeatures.HasJournal))
        {
            if (s.Has(IncompatFeatures.NeedsRecovery))
            {
                if (run.Mends("superblock", "offset 1024", "feature needs_recovery is set, and there is no journal"))
                {
                    await new JournalRepair(run, run.Repair!).DropRecoveryAsync().ConfigureAwait(false);
                }
            }

            if (s.JournalInode != 0 || s.JournalDevice != 0)
            {
                await DropAsync(run, "superblock", "offset 1024", "there is a journal, and feature has_journal is not set").ConfigureAwait(false);
            }

            return;
        }

        if (s.JournalInode == 0)
        {
            run.Log.Problem("journal", "external device", "it cannot be looked at from here");
            return;
        }

        await CheckInodeAsync(run, s.JournalInode).ConfigureAwait(false);
    }

    private static async ValueTask CheckInodeAsync(CheckRun run, uint number)
    {
        using var peek = new InodePeek(run);
        InodeRecord? inode = number <= run.Geometry.InodeCount ? await peek.ReadAsync(number).ConfigureAwait(false) : null;
        ulong blocks = inode is null ? 0 : inode.Size / (ulong)run.BlockSize;
        if (inode is null || inode.LinkCount == 0 || !inode.IsRegular || blocks < JournalSuperblock.MinBlocks)
        {
            await DropAsync(run, "journal", $"inode {number}", "it is no journal").ConfigureAwait(false);
            return;
        }

        List<DirectoryPlace> places = await new FileBlocks(run, 1).CollectAsync(inode).ConfigureAwait(false);
        ulong? first = places.Count > 0 && places[0].Index == 0 ? places[0].Volume : null;
        using AlignedBuffer buffer = run.Store.Allocate(1);
        if (first is null || !run.Contains(first.Value) || !await run.Store.ReadAsync(first.Value, 1, buffer.Segment).ConfigureAwait(false))
        {
            await DropAsync(run, "journal", $"inode {number}", "its first block cannot be read").ConfigureAwait(false);
            return;
        }

        if (FindFault(buffer.GetSpan(), run.BlockSize, blocks) is { } fault)
        {
            if (run.Mends("journal superblock", $"block {first}", fault))
            {
                await new JournalRepair(run, run.Repair!).ResetAsync(first.Value, blocks).ConfigureAwait(false);
            }

            return;
        }

        JudgeState(run, buffer.GetSpan(), first.Value);
        bool waits = Get(buffer.GetSpan(), 0x1C) != 0;
        if (run.Repair is { } repair && (waits || run.Has(IncompatFeatures.NeedsRecovery)))
        {
            await EmptyAsync(run, repair, first.Value, blocks, waits).ConfigureAwait(false);
        }
    }

    /// <summary>A repair has the log replayed first; what still waits after that is given up.</summary>
    private static async ValueTask EmptyAsync(CheckRun run, Repair repair, ulong first, ulong blocks, bool waits)
    {
        if (!repair.State.HasTriedReplay)
        {
            repair.AskReplay();
            return;
        }

        var journal = new JournalRepair(run, repair);
        repair.Note("journal", $"block {first}", waits ? "what waits in it cannot be replayed" : "it waits for recovery, and is empty");
        if (waits)
        {
            await journal.ResetAsync(first, blocks).ConfigureAwait(false);
        }
        else
        {
            await journal.DropRecoveryAsync().ConfigureAwait(false);
        }
    }

    private static async ValueTask DropAsync(CheckRun run, string structure, string place, string found)
    {
        if (run.Mends(structure, place, found))
        {
            await new JournalRepair(run, run.Repair!).DropAsync().ConfigureAwait(false);
        }
    }

    private static void JudgeState(CheckRun run, ReadOnlySpan<byte> block, ulong first)
    {
        bool hasLog = Get(block, 0x1C) != 0;
        if (run.Has(IncompatFeatures.NeedsRecovery))
        {
            run.Log.Note("journal", $"block {first}", "it waits for recovery; the volume is judged as it is without");
        }
        else if (hasLog)
        {
            run.Log.Note("superblock", "offset 1024", "feature needs_recovery is not set, and the journal is not empty");
        }
    }

    public static string? FindFault(ReadOnlySpan<byte> block, int blockSize, ulong available)
    {
        uint type = Get(block, 4);
        if (Get(block, 0) != LogBlockHeader.Magic || type is not (JournalSuperblock.Version1 or JournalSuperblock.Version2))
        {
            return $"h_magic is 0x{Get(block, 0):x8}, h_blocktype {type}";
        }

        // Where an empty log would begin is of no interest.
        bool hasLog = Get(block, 0x1C) != 0;
        if (Get(block, 0x0C) != blockSize || Get(block, 0x10) > available || (hasLog && Get(block, 0x14) >= Get(block, 0x10)))
        {
            return $"s_blocksize is {Get(block, 0x0C)}, s_maxlen {Get(block, 0x10)}, s_first {Get(block, 0x14)}; it has {available} blocks";
        }

        if (type == JournalSuperblock.Version1)
        {
            return null;
        }

        if (Get(block, 0x40) > 1)
        {
            return $"s_nr_users is {Get(block, 0x40)} of a journal inside a volume";
        }

        var features = (JournalFeatures)Get(block, 0x28);
        bool hasBoth = (features & (JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3)) == (JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3);
        if ((features & ~JournalFeatures.Known) != 0 || hasBoth)
        {
            return $"its features are 0x{(uint)features:x}";
        }

        if ((features & (JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3)) == 0)
        {
            return null;
        }

        uint crc = Crc32C.AppendZeros(Crc32C.Append(Crc32C.Start, block[..0xFC]), 4);
        return Get(block, 0xFC) != Crc32C.Append(crc, block[0x100..0x400]) ? "s_checksum does not match" : null;
    }

    private static uint Get(ReadOnlySpan<byte> block, int offset) => BinaryPrimitives.ReadUInt32BigEndian(block[offset..]);
}
