using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <summary>
/// The extended attributes of one inode: in the record after its fields, in a block that inodes with the same attributes may share, and large
/// values in inodes of their own. The inode lock is held: shared for reading, exclusively for changes.
/// </summary>
internal sealed partial class AttributeStore(Ext4Inode inode)
{
    /// <summary>The largest value that Linux reads or writes (XATTR_SIZE_MAX).</summary>
    private const int MaxValueSize = 65536;

    private bool _isBodyChecked;

    private Ext4Volume Volume => inode.Volume;

    /// <summary>The area in the record, checked; empty if there is none or nothing in it.</summary>
    private Span<byte> Body
    {
        get
        {
            Span<byte> area = inode.Record.AttributeArea;
            if (inode.Record.ExtraSize == 0 || !AttributeArea.IsPresentInInode(area))
            {
                return default;
            }

            Span<byte> body = AttributeArea.WithoutHeader(area);
            if (!_isBodyChecked)
            {
                AttributeArea.Check(body, 0, Volume.Geometry.InodeCount, inode.Number);
                _isBodyChecked = true;
            }

            return body;
        }
    }

    /// <summary>Whether neither the record nor a block holds any. What the record holds is not judged: where something is, this is false. No I/O.</summary>
    public bool HasNone =>
        inode.Record.AttributeBlock.Value == 0 && (inode.Record.ExtraSize == 0 || !AttributeArea.IsPresentInInode(inode.Record.AttributeArea));

    /// <summary>Whether an attribute that a write must take away, file capabilities, may be there. No I/O.</summary>
    public bool MayHaveSecurity
    {
        get
        {
            if (inode.Record.AttributeBlock.Value != 0)
            {
                return true;
            }

            ReadOnlySpan<byte> body = Body;
            if (!body.IsEmpty)
            {
                foreach (AttributeEntry entry in AttributeArea.EntriesOf(body, 0))
                {
                    if (entry.Namespace == AttributeNamespace.Security)
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }

    /// <summary>The part of the record that holds the value of system.data; empty if there is none.</summary>
    public Span<byte> InlineValue
    {
        get
        {
            Span<byte> body = Body;
            if (!body.IsEmpty)
            {
                foreach (AttributeEntry entry in AttributeArea.EntriesOf(body, 0))
                {
                    if (StoredName.InlineContents.Is(entry, body) && !entry.HasValueInode && entry.ValueSize > 0)
                    {
                        return body.Slice(entry.ValueOffset, (int)entry.ValueSize);
                    }
                }
            }

            return default;
        }
    }

    /// <summary>
    /// The largest value that system.data could have: what it has, and what is free beside the other attributes in the record; 0 without it. No I/O. With the inode lock held
    /// exclusively nothing but system.data itself takes of it.
    /// </summary>
    public int InlineRoom
    {
        get
        {
            lock (inode.Record)
            {
                int others = 0;
                bool isThere = false;
                ReadOnlySpan<byte> body = Body;
                if (body.IsEmpty)
                {
                    return 0;
                }

                foreach (AttributeEntry entry in AttributeArea.EntriesOf(body, 0))
                {
                    bool isValue = StoredName.InlineContents.Is(entry, body) && !entry.HasValueInode;
                    isThere |= isValue;
                    others += isValue ? 0 : entry.Length + (entry.HasValueInode ? 0 : AttributeEntry.Align((int)entry.ValueSize));
                }

                return isThere ? Math.Max(RoomForInline(inode.Record) - others, 0) : 0;
            }
        }
    }

    /// <summary>How large system.data could be if there were no other attribute; not positive where it cannot be there at all, unless it is empty.</summary>
    public static int RoomForInline(InodeRecord record) => record.ExtraSize == 0 ? -1
        : record.AttributeArea.Length - AttributeArea.InodeHeaderSize - AttributeEntry.TerminatorSize
            - AttributeEntry.LengthFor(StoredName.InlineContents.Suffix.Length);

    public async ValueTask<byte[]?> GetAsync(FileName name)
    {
        if (!StoredName.TryFrom(name, out StoredName stored) || !stored.IsVisible)
        {
            return null;
        }

        try
        {
            StoredAttribute? found = Find(ReadBody(), stored);
            if (found is null && inode.Record.AttributeBlock.Value != 0)
            {
                found = Find(await ReadBlockAsync().ConfigureAwait(false), stored);
            }

            if (found is null)
            {
                return null;
            }

            byte[] value = found.ValueInode == 0 ? found.Value : await ReadValueInodeAsync(found).ConfigureAwait(false);
            return stored.IsAcl ? PosixAcl.ToWire(value, inode.Number) : value;
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    public async ValueTask<IReadOnlyList<FileName>> ListAsync()
    {
        List<StoredAttribute> all = await ReadAllAsync().ConfigureAwait(false);
        var names = new List<FileName>(all.Count);
        foreach (StoredAttribute attribute in all)
        {
            if (attribute.Name.ToFileName() is { } name)
            {
                names.Add(name);
            }
        }

        return names;
    }

    private static StoredAttribute? Find(List<StoredAttribute> attributes, StoredName name) => attributes.Find(a => a.Name == name);

    private List<StoredAttribute> ReadBody()
    {
        ReadOnlySpan<byte> body = Body;
        return body.IsEmpty ? [] : ReadArea(body, 0);
    }

    /// <summary>What is in the inode and in its block.</summary>
    private async ValueTask<List<StoredAttribute>> ReadAllAsync()
    {
        try
        {
            List<StoredAttribute> all = ReadBody();
            if (inode.Record.AttributeBlock.Value != 0)
            {
                all.AddRange(await ReadBlockAsync().ConfigureAwait(false));
            }

            return all;
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    private async ValueTask<List<StoredAttribute>> ReadOptionalBlockAsync() =>
        inode.Record.AttributeBlock.Value == 0 ? [] : await ReadBlockAsync().ConfigureAwait(false);

    private async ValueTask<List<StoredAttribute>> ReadBlockAsync()
    {
        MetadataBlock block = await GetBlockAsync().ConfigureAwait(false);
        try
        {
            return ReadArea(block.Bytes, AttributeBlockHeader.Size);
        }
        finally
        {
            block.Unpin();
        }
    }

    /// <summary>The inode's attribute block, judged; pinned.</summary>
    private async ValueTask<MetadataBlock> GetBlockAsync()
    {
        VolumeBlock number = inode.Record.AttributeBlock;
        MetadataBlock block = await Volume.Cache.GetAsync(number).ConfigureAwait(false);
        try
        {
            if (!block.IsJudged)
            {
                _ = ParseHeader(block);
                block.IsJudged = true;
            }

            return block;
        }
        catch
        {
            block.Unpin();
            throw;
        }
    }

    private AttributeBlockHeader ParseHeader(MetadataBlock block) =>
        AttributeBlockHeader.Parse(block.Bytes, block.Number, Volume.Geometry.InodeCount, Volume.Checksum);

    private static List<StoredAttribute> ReadArea(ReadOnlySpan<byte> area, int firstEntry)
    {
        var attributes = new List<StoredAttribute>();
        foreach (AttributeEntry entry in AttributeArea.EntriesOf(area, firstEntry))
        {
            var name = new StoredName(entry.Namespace, entry.NameIn(area).ToArray());
            attributes.Add(new StoredAttribute(name, AttributeArea.ValueIn(area, entry).ToArray(), entry.ValueInode, entry.ValueSize, entry.Hash));
        }

        return attributes;
    }

    /// <summary>Reads a value that lies in an inode of its own, and checks it.</summary>
    private async ValueTask<byte[]> ReadValueInodeAsync(StoredAttribute attribute)
    {
        Inode holder = await inode.FileSystem.Inodes.GetAsync(new InodeNumber(attribute.ValueInode)).ConfigureAwait(false);
        try
        {
            return await ValueInodeReader.ReadAsync((Ext4Inode)holder, inode, attribute).ConfigureAwait(false);
        }
        finally
        {
            await inode.FileSystem.Inodes.ReleaseAsync(holder).ConfigureAwait(false);
        }
    }
}
