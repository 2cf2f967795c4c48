using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;

namespace Penstock.Ext4;

/// <content>
/// An inode that holds the value of an attribute (ea_inode). While entries refer to it, it has one link and says how many; before the first and
/// after the last it is an orphan like any file without a name, so whoever recovers the volume frees it.
/// </content>
internal sealed partial class Ext4Inode
{
    /// <summary>Whether it holds a value, or is being made or freed as one that does.</summary>
    public bool HoldsValue { get; init; }

    /// <summary>The first entry refers to it: <see cref="OrphanRegister.Credits"/>.</summary>
    public ValueTask BecomeValueAsync(Handle handle)
    {
        lock (_record)
        {
            _record.Flags |= InodeFlags.ExtendedAttributeInode;
            AttributeValueInode.WriteReferenceCount(_record, 1);
        }

        Change(static (ref InodeAttributes a) => a.Links = 1);
        return Ext4.Orphans.RemoveAsync(handle, this);
    }

    /// <summary>One more entry refers to it: one credit.</summary>
    public ValueTask AddAttributeUserAsync(Handle handle)
    {
        lock (_record)
        {
            AttributeValueInode.WriteReferenceCount(_record, AttributeValueInode.ReadReferenceCount(_record) + 1);
        }

        return StoreAsync(handle);
    }

    /// <summary>
    /// An entry that referred to it is gone; after the last it is freed with the last reference: <see cref="OrphanRegister.Credits"/>. Those who
    /// share it hold different inode locks, so the latch is what counts.
    /// </summary>
    public ValueTask DropAttributeUserAsync(Handle handle)
    {
        ulong left;
        lock (_record)
        {
            ulong users = AttributeValueInode.ReadReferenceCount(_record);
            left = users > 0 ? users - 1 : 0;
            AttributeValueInode.WriteReferenceCount(_record, left);
            if (left == 0)
            {
                _record.Flags &= ~InodeFlags.ExtendedAttributeInode;
            }
        }

        if (left > 0)
        {
            return StoreAsync(handle);
        }

        Change(static (ref InodeAttributes a) => a.Links = 0);
        return Ext4.Orphans.AddAsync(handle, this);
    }
}
