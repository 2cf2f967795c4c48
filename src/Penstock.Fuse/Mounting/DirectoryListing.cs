using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// Collects as many entries of a directory as one reply can take, while the directory is locked; what else a reply needs (the
/// attributes of each inode) is fetched afterwards, with nothing locked. Reused.
/// </summary>
internal sealed class DirectoryListing : IDirectorySink
{
    private readonly List<Entry> _entries = [];
    private byte[] _names = new byte[4096];
    private int _namesLength;
    private int _room;
    private Func<int, int> _sizeOf = static _ => 0;

    /// <summary>The entries taken.</summary>
    public IReadOnlyList<Entry> Entries => _entries;

    /// <summary>Begins a reply of a length, whose entries take what <paramref name="sizeOf"/> says for the length of a name.</summary>
    public void Begin(int length, Func<int, int> sizeOf)
    {
        _entries.Clear();
        _namesLength = 0;
        _room = length;
        _sizeOf = sizeOf;
    }

    public ReadOnlySpan<byte> NameOf(Entry entry) => _names.AsSpan(entry.NameStart, entry.NameLength);

    public bool Add(ReadOnlySpan<byte> name, InodeNumber number, FileKind kind, ulong next)
    {
        int size = _sizeOf(name.Length);
        if (size > _room)
        {
            return false;
        }

        if (_names.Length - _namesLength < name.Length)
        {
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _namesLength + name.Length));
        }

        name.CopyTo(_names.AsSpan(_namesLength));
        _entries.Add(new Entry(_namesLength, name.Length, number, kind, next));
        _namesLength += name.Length;
        _room -= size;
        return true;
    }

    /// <summary>One name that was found.</summary>
    internal readonly record struct Entry(int NameStart, int NameLength, InodeNumber Number, FileKind Kind, ulong Next);
}
