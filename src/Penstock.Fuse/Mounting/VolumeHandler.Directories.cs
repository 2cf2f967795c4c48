using Penstock.Execution;
using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Journal;

namespace Penstock.Fuse.Mounting;

/// <content>Reading directories. They have no state while open: a position means the same to every reader.</content>
internal sealed partial class VolumeHandler
{
    private static readonly Pool<DirectoryListing> s_listings = new(static () => new DirectoryListing(), capacity: 16);

    /// <summary>ENOSYS says, once for the whole mount, that no request is needed: the kernel then also keeps the entries that it has read until one changes.</summary>
    public override ValueTask<Errno> OpenDirAsync(FuseRequest request) =>
        new(_opensDirectoriesItself ? Errno.ENOSYS
            : NodeOf(request).Kind == FileKind.Directory ? request.Reply(default(FuseOpenOut)) : Errno.ENOTDIR);

    public override ValueTask<Errno> ReleaseDirAsync(FuseRequest request) => new(Errno.None);

    public override async ValueTask<Errno> ReadDirAsync(FuseRequest request)
    {
        DirectoryListing listing = s_listings.Rent();
        try
        {
            int length = await ListAsync(request, listing, DirectoryReply.SizeOf).ConfigureAwait(false);
            return PackPlain(request, listing, length);
        }
        finally
        {
            s_listings.Return(listing);
        }
    }

    public override async ValueTask<Errno> ReadDirPlusAsync(FuseRequest request)
    {
        DirectoryListing listing = s_listings.Rent();
        try
        {
            int length = await ListAsync(request, listing, DirectoryReply.SizeOfPlus).ConfigureAwait(false);
            Memory<byte> payload = request.RentPayload(length);
            int used = 0;
            for (int i = 0; i < listing.Entries.Count; i++)
            {
                FuseEntryOut entry = await LookUpListedAsync(listing, listing.Entries[i]).ConfigureAwait(false);
                used += PackPlus(payload.Span[used..], listing, listing.Entries[i], entry);
            }

            return request.ReplyPayload(used);
        }
        finally
        {
            s_listings.Return(listing);
        }
    }

    public override async ValueTask<Errno> FSyncDirAsync(FuseRequest request)
    {
        Inode directory = NodeOf(request);
        MetadataJournal journal = _fileSystem.Journal;
        if (directory.IsAttributesDirty)
        {
            Handle handle = await journal.BeginAsync(1).ConfigureAwait(false);
            try
            {
                await directory.StoreAsync(handle).ConfigureAwait(false);
            }
            finally
            {
                handle.Stop();
            }
        }

        // A directory has no pages: its entries are metadata, and so all of them are in the running transaction or an older one.
        await journal.CommitAsync(journal.Running).ConfigureAwait(false);
        return Errno.None;
    }

    private async ValueTask<int> ListAsync(FuseRequest request, DirectoryListing listing, Func<int, int> sizeOf)
    {
        FuseReadIn read = request.Arguments<FuseReadIn>();
        int length = (int)Math.Min(read.Size, (uint)_maxRead);
        listing.Begin(length, sizeOf);
        Inode directory = NodeOf(request);
        await _names.ReadDirectoryAsync(directory, read.Offset, listing).ConfigureAwait(false);
        FileTimes.Accessed(directory, IsReadOnly ? IoOptions.NoAccessTime : IoOptions.None);
        return length;
    }

    private static Errno PackPlain(FuseRequest request, DirectoryListing listing, int length)
    {
        var reply = new DirectoryReply(request.RentPayload(length).Span);
        foreach (DirectoryListing.Entry entry in listing.Entries)
        {
            reply.TryAdd(entry.Number.Value, entry.Next, WireAttributes.ToDirentType(entry.Kind), listing.NameOf(entry));
        }

        return request.ReplyPayload(reply.Length);
    }

    private static int PackPlus(Span<byte> destination, DirectoryListing listing, DirectoryListing.Entry listed, in FuseEntryOut entry)
    {
        var reply = new DirectoryReply(destination);
        uint type = entry.NodeId != 0 ? entry.Attr.Mode >> 12 : WireAttributes.ToDirentType(listed.Kind);
        reply.TryAddPlus(entry, listed.Number.Value, listed.Next, type, listing.NameOf(listed));
        return reply.Length;
    }

    /// <summary>
    /// The entry as a look-up gives it, and counted as one. "." and "..", and an inode that is gone or damaged, come without: the
    /// kernel then asks when somebody wants it, and hears the error.
    /// </summary>
    private async ValueTask<FuseEntryOut> LookUpListedAsync(DirectoryListing listing, DirectoryListing.Entry listed)
    {
        ReadOnlySpan<byte> name = listing.NameOf(listed);
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
        {
            return default;
        }

        try
        {
            Inode inode = await _fileSystem.Inodes.GetAsync(listed.Number).ConfigureAwait(false);
            FuseEntryOut entry = EntryOf(inode);
            await AddLookupAsync(inode).ConfigureAwait(false);
            return entry;
        }
        catch (FileSystemException)
        {
            return default;
        }
    }
}
