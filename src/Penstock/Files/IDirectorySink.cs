using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>Who reads a directory.</summary>
internal interface IDirectorySink
{
    /// <summary>Takes one entry.</summary>
    /// <param name="name">The name; valid during the call only.</param>
    /// <param name="number">The inode.</param>
    /// <param name="kind">Its kind, or Unknown where the directory does not say.</param>
    /// <param name="next">The position from which reading goes on after this entry.</param>
    /// <returns>Whether there is room for more; false also when this entry was not taken.</returns>
    bool Add(ReadOnlySpan<byte> name, InodeNumber number, FileKind kind, ulong next);
}
