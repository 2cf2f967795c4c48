using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>A name that was saved from a damaged block.</summary>
internal readonly record struct SavedName(uint Inode, DirectoryFileType Kind, byte[] Name);

/// <summary>Makes a damaged block of a directory one that can be walked, with every entry that can still be told from rubbish. Used by one activity.</summary>
internal sealed class DirectorySalvage(CheckRun run)
{
    private const int MinRecordLength = 12;

    private readonly List<SavedName> _saved = [];
    private bool[] _leadsToEnd = [];

    /// <summary>Whether entries fill a stretch of a block without a fault.</summary>
    /// <param name="block">The block.</param>
    /// <param name="end">Where they must end.</param>
    /// <param name="hashLength">Bytes behind each name that belong to it.</param>
    public static bool IsWhole(ReadOnlySpan<byte> block, int end, int hashLength)
    {
        int offset = 0;
        while (offset < end)
        {
            if (!Fits(block, offset, end, hashLength))
            {
                return false;
            }

            offset += DirectoryEntry.Read(block, offset).RecordLength;
        }

        return true;
    }

    /// <summary>Writes a block anew from what is left of it.</summary>
    /// <param name="block">The block.</param>
    /// <param name="end">Where entries end; what lies behind is not touched.</param>
    /// <param name="heads">The numbers of the directory and its parent where the block begins with "." and "..".</param>
    /// <param name="homeless">Takes the names that have no room.</param>
    public void Rebuild(Span<byte> block, int end, (uint Self, uint Parent)? heads, List<SavedName> homeless)
    {
        Collect(block);
        Write(block[..end], heads, homeless);
    }

    /// <summary>Saves what is plausible from bytes that hold entries, or did once.</summary>
    private void Collect(ReadOnlySpan<byte> block)
    {
        _saved.Clear();
        int end = DirectoryTail.IsPresent(block) ? block.Length - DirectoryTail.Size : block.Length;
        FindChains(block, end);
        int offset = 0;
        while (end - offset >= DirectoryEntry.HeaderSize)
        {
            DirectoryEntry entry = DirectoryEntry.Read(block, offset);
            bool isNamed = IsPlausible(block, offset, end);
            if (isNamed)
            {
                _saved.Add(new SavedName(entry.Inode, entry.FileType, entry.NameIn(block).ToArray()));
            }

            bool isRight = Fits(block, offset, end, 0);
            offset = isRight ? entry.End : NextChain(block, isNamed ? offset + entry.NeededLength : offset + DirectoryEntry.Alignment, end);
        }
    }

    /// <summary>From the end backwards: from which places entries lead to the end without a fault.</summary>
    private void FindChains(ReadOnlySpan<byte> block, int end)
    {
        int count = (end / DirectoryEntry.Alignment) + 1;
        if (_leadsToEnd.Length < count)
        {
            _leadsToEnd = new bool[count];
        }

        _leadsToEnd[end / DirectoryEntry.Alignment] = true;
        for (int offset = end - DirectoryEntry.Alignment; offset >= 0; offset -= DirectoryEntry.Alignment)
        {
            _leadsToEnd[offset / DirectoryEntry.Alignment] = Fits(block, offset, end, 0)
                && _leadsToEnd[DirectoryEntry.Read(block, offset).End / DirectoryEntry.Alignment];
        }
    }

    private int NextChain(ReadOnlySpan<byte> block, int from, int end)
    {
        for (int offset = from; offset <= end - MinRecordLength; offset += DirectoryEntry.Alignment)
        {
            if (_leadsToEnd[offset / DirectoryEntry.Alignment] && IsPlausible(block, offset, end))
            {
                return offset;
            }
        }

        return end;
    }

    private static bool Fits(ReadOnlySpan<byte> block, int offset, int end, int hashLength)
    {
        if (end - offset < DirectoryEntry.HeaderSize)
        {
            return false;
        }

        DirectoryEntry entry = DirectoryEntry.Read(block, offset);
        int needed = entry.NameLength + DirectoryEntry.HeaderSize + (entry.IsUsed ? hashLength : 0);
        return entry.RecordLength >= MinRecordLength && entry.RecordLength % DirectoryEntry.Alignment == 0
            && entry.RecordLength <= end - offset && needed <= entry.RecordLength;
    }

    /// <summary>Whether bytes can be an entry with a name of an inode that is in use, whatever its length field says.</summary>
    private bool IsPlausible(ReadOnlySpan<byte> block, int offset, int end)
    {
        DirectoryEntry entry = DirectoryEntry.Read(block, offset);
        if (entry.Inode == 0 || entry.Inode > run.Geometry.InodeCount || entry.NameLength == 0 || entry.NeededLength > end - offset)
        {
            return false;
        }

        ReadOnlySpan<byte> name = entry.NameIn(block);
        return run.Inodes.IsUsed(entry.Inode) && name.IndexOfAny((byte)0, (byte)'/') < 0 && !IsDots(name);
    }

    private static bool IsDots(ReadOnlySpan<byte> name) => name.SequenceEqual("."u8) || name.SequenceEqual(".."u8);

    private void Write(Span<byte> block, (uint Self, uint Parent)? heads, List<SavedName> homeless)
    {
        block.Clear();
        int last = 0;
        int offset = 0;
        bool hasKinds = run.Has(IncompatFeatures.FileType);
        if (heads is { } h)
        {
            DirectoryFileType kind = hasKinds ? DirectoryFileType.Directory : DirectoryFileType.Unknown;
            DirectoryEntry.Write(block, 0, h.Self, MinRecordLength, "."u8, kind);
            DirectoryEntry.Write(block, MinRecordLength, h.Parent, block.Length - MinRecordLength, ".."u8, kind);
            (last, offset) = (MinRecordLength, 2 * MinRecordLength);
        }
        else
        {
            DirectoryEntry.Write(block, 0, 0, block.Length, default, DirectoryFileType.Unknown);
        }

        foreach (SavedName name in _saved)
        {
            if (offset + DirectoryEntry.LengthFor(name.Name.Length) > block.Length)
            {
                homeless.Add(name);
                continue;
            }

            if (offset > 0)
            {
                DirectoryEntry.WriteRecordLength(block, last, offset - last);
            }

            DirectoryEntry.Write(block, offset, name.Inode, block.Length - offset, name.Name, name.Kind);
            (last, offset) = (offset, offset + DirectoryEntry.LengthFor(name.Name.Length));
        }
    }
}
