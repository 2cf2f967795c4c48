using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Caching;

/// <summary>What the page cache needs to know of a file. It points down: the cache knows no inode.</summary>
internal interface IPagedFile
{
    PageCache PageCache { get; }

    Scheduler Scheduler { get; }

    BlockDevice Device { get; }

    MetadataJournal Journal { get; }

    /// <summary>Where the file's blocks are; asked only for files that have content.</summary>
    BlockMapper? Mapper { get; }

    /// <summary>The size of a volume block in bytes.</summary>
    int BlockSize { get; }

    /// <summary>Shared by fills, held exclusively by removals (Rule 2.9).</summary>
    SharedLock Invalidation { get; }

    /// <summary>The size in bytes; may change at any moment.</summary>
    long Size { get; }

    /// <summary>The size that is stored by the format: never beyond data that has landed.</summary>
    long StoredSize { get; set; }

    /// <summary>Whether the content lies in the inode: then page 0 is filled and written with the two members below.</summary>
    bool HasInlineData { get; }

    /// <summary>Whether dirty blocks go to the journal's log (<see cref="Handle.PutData"/>), and clean ones may be in its cache only.</summary>
    bool JournalsData { get; }

    void ReadInline(Span<byte> destination);

    ValueTask WriteInlineAsync(ReadOnlyMemory<byte> content);

    /// <summary>Notes that <see cref="StoredSize"/> is to be stored.</summary>
    void MarkAttributesDirty();

    /// <summary>Stores <see cref="StoredSize"/> and the attributes in a handle: one credit.</summary>
    ValueTask StoreAsync(Handle handle);
}
