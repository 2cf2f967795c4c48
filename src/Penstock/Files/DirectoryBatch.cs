using System.Text;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>Takes a directory's entries in batches, so that no lock is held while a user looks at them.</summary>
internal sealed class DirectoryBatch : IDirectorySink
{
    private const int MaxEntries = 256;

    public List<VolumeEntry> Entries { get; } = [];

    /// <summary>Where the next batch begins.</summary>
    public ulong Position { get; private set; }

    /// <summary>Whether the batch ended because it was full.</summary>
    public bool HasMore { get; private set; }

    public void Begin()
    {
        Entries.Clear();
        HasMore = false;
    }

    public bool Add(ReadOnlySpan<byte> name, InodeNumber number, FileKind kind, ulong next)
    {
        if (Entries.Count == MaxEntries)
        {
            HasMore = true;
            return false;
        }

        Position = next;
        if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
        {
            Entries.Add(new VolumeEntry(Encoding.UTF8.GetString(name), kind, number.Value));
        }

        return true;
    }
}
