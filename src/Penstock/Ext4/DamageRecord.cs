using System.Globalization;
using Penstock.Ext4.Format;
using Penstock.Files;

namespace Penstock.Ext4;

/// <summary>
/// What was found damaged on a volume since it was opened, for the error fields of its superblock: how often, the first and the last. Any thread.
/// </summary>
internal sealed class DamageRecord
{
    private const byte BadChecksum = 4; // EXT4_ERR_EFSBADCRC
    private const byte Corrupted = 5; // EXT4_ERR_EFSCORRUPTED

    private readonly object _latch = new();
    private Damage? _first;
    private Damage? _last;
    private uint _count;

    /// <summary>Whether anything was ever found.</summary>
    public bool IsAny { get; private set; }

    /// <summary>Whether something was found since the last <see cref="MoveTo"/>.</summary>
    public bool HasNew
    {
        get
        {
            lock (_latch)
            {
                return _count > 0;
            }
        }
    }

    public void Add(CorruptVolumeException found, Timestamp now)
    {
        byte code = found.Field.Contains("checksum", StringComparison.Ordinal) || found.Field.Contains("csum", StringComparison.Ordinal) ? BadChecksum : Corrupted;
        var damage = new Damage(found.Structure, (uint)NumberAfter(found.Location, "inode "), NumberAfter(found.Location, "block "), code, now);
        lock (_latch)
        {
            IsAny = true;
            _first ??= damage;
            _last = damage;
            _count++;
        }
    }

    /// <summary>Puts what is new into a superblock: the first error stays the one that it knows already.</summary>
    public void MoveTo(Superblock superblock)
    {
        lock (_latch)
        {
            if (_first is not { } first || _last is not { } last || _count == 0)
            {
                return;
            }

            if (superblock.ErrorCount == 0)
            {
                superblock.FirstErrorTime = first.Time;
                (superblock.FirstErrorInode, superblock.FirstErrorBlock, superblock.FirstErrorCode) = (first.Inode, first.Block, first.Code);
                (superblock.FirstErrorFunction, superblock.FirstErrorLine) = (first.Structure, 0);
            }

            superblock.LastErrorTime = last.Time;
            (superblock.LastErrorInode, superblock.LastErrorBlock, superblock.LastErrorCode) = (last.Inode, last.Block, last.Code);
            (superblock.LastErrorFunction, superblock.LastErrorLine) = (last.Structure, 0);
            superblock.ErrorCount = superblock.ErrorCount > uint.MaxValue - _count ? uint.MaxValue : superblock.ErrorCount + _count;
            superblock.State |= VolumeStates.HasErrors;
            (_first, _last, _count) = (null, null, 0);
        }
    }

    private static ulong NumberAfter(string location, string word)
    {
        int start = location.IndexOf(word, StringComparison.Ordinal);
        if (start < 0)
        {
            return 0;
        }

        ReadOnlySpan<char> digits = location.AsSpan(start + word.Length);
        int length = digits.IndexOfAnyExceptInRange('0', '9');
        return ulong.TryParse(length < 0 ? digits : digits[..length], NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : 0;
    }

    private sealed record Damage(string Structure, uint Inode, ulong Block, byte Code, Timestamp Time);
}
