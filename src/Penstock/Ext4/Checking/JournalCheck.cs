using System.Buffers.Binary;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Journal.Format;

namespace Penstock.Ext4.Checking;

/// <summary>The journal's inode and superblock. What waits in the log is not looked at: the volume is judged as it is without it.</summary>
internal static class JournalCheck
{
    private const uint CompatChecksum = 1;
    private const uint DefaultFastBlocks = 256;

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

            if (s.JournalInode != 0)
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

        ulong? first = await FindFirstAsync(run, inode, number, blocks).ConfigureAwait(false);
        using AlignedBuffer buffer = run.Store.Allocate(1);
        if (first is null || !await run.Store.ReadAsync(first.Value, 1, buffer.Segment).ConfigureAwait(false))
        {
            await DropAsync(run, "journal", $"inode {number}", "its blocks are not all there").ConfigureAwait(false);
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

        if (FindStray(buffer.GetSpan()) is { } stray && run.MendsNote("journal superblock", $"block {first}", stray))
        {
            ClearStray(buffer.GetSpan());
            await run.Repair!.WriteAsync(first.Value, buffer.Segment).ConfigureAwait(false);
            return;
        }

        JudgeState(run, buffer.GetSpan(), first.Value);
        bool waits = Get(buffer.GetSpan(), 0x1C) != 0;
        if (run.Repair is { } repair && (waits || run.Has(IncompatFeatures.NeedsRecovery)))
        {
            await EmptyAsync(run, repair, first.Value, blocks, waits).ConfigureAwait(false);
        }
    }

    /// <summary>The first block of a journal that has no hole and no block that is not on the volume; else null.</summary>
    public static async ValueTask<ulong?> FindFirstAsync(CheckRun run, InodeRecord inode, uint number, ulong blocks)
    {
        var tally = new ContentTally(run) { IsSilent = true };
        tally.Start();
        tally.Runs = [];
        using var extents = new ExtentWalk(run, tally);
        using var indirect = new IndirectWalk(run, tally);
        if (inode.Is(InodeFlags.Extents))
        {
            await extents.RunAsync(inode, number).ConfigureAwait(false);
        }
        else
        {
            await indirect.RunAsync(inode, number).ConfigureAwait(false);
        }

        ulong next = 0;
        foreach (Repairing.MapRun part in tally.Runs)
        {
            if (part.File != next)
            {
                break;
            }

            next = part.End;
        }

        return next >= blocks && next > 0 ? tally.Runs[0].Volume : null;
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

    /// <summary>What an empty or first-version superblock of a journal should not say; it does no harm.</summary>
    private static string? FindStray(ReadOnlySpan<byte> block) =>
        Get(block, 4) == JournalSuperblock.Version1 && (block[0x24..0x30].ContainsAnyExcept((byte)0) || Get(block, 0x40) != 0) ? "it is of version 1 and has features"
        : Get(block, 0x1C) == 0 && Get(block, 0x20) != 0 ? $"s_errno is {(int)Get(block, 0x20)}"
        : null;

    private static void ClearStray(Span<byte> block)
    {
        BinaryPrimitives.WriteUInt32BigEndian(block[0x20..], 0);
        if (Get(block, 4) == JournalSuperblock.Version1)
        {
            block[0x24..0x400].Clear();
        }
        else if ((Get(block, 0x28) & (uint)(JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3)) != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(block[0xFC..], JournalSuperblock.ComputeChecksum(block));
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

        return FindBadFeatures(block);
    }

    private static string? FindBadFeatures(ReadOnlySpan<byte> block)
    {
        const JournalFeatures AnyChecksum = JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3;
        uint compat = Get(block, 0x24);

        var features = (JournalFeatures)Get(block, 0x28);
        bool hasBoth = (features & AnyChecksum) == AnyChecksum || ((features & AnyChecksum) != 0 && (compat & CompatChecksum) != 0);
        if ((features & ~JournalFeatures.Known) != 0 || Get(block, 0x2C) != 0 || hasBoth)
        {
            return $"its features are 0x{compat:x}, 0x{(uint)features:x}, 0x{Get(block, 0x2C):x}";
        }

        uint fastBlocks = Get(block, 0x54) == 0 ? DefaultFastBlocks : Get(block, 0x54);
        if ((features & JournalFeatures.FastCommit) != 0 && fastBlocks + (ulong)JournalSuperblock.MinBlocks > Get(block, 0x10))
        {
            return $"s_num_fc_blocks is {Get(block, 0x54)}, of {Get(block, 0x10)} blocks";
        }

        if ((features & AnyChecksum) == 0)
        {
            return null;
        }

        if (block[0x50] != JournalSuperblock.Crc32CChecksumType)
        {
            return $"s_checksum_type is {block[0x50]}";
        }

        return Get(block, 0xFC) != JournalSuperblock.ComputeChecksum(block) ? "s_checksum does not match" : null;
    }

    private static uint Get(ReadOnlySpan<byte> block, int offset) => BinaryPrimitives.ReadUInt32BigEndian(block[offset..]);
}
