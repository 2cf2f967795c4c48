using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <summary>
/// Inodes that hold values, loaded before a handle in which their users change: whoever loads an inode may have to wait for one that leaves the memory, and so
/// for another's handle.
/// </summary>
internal sealed class ValueHolders(Ext4Inode user)
{
    private const int BytesPerSector = 512;

    private readonly Dictionary<uint, Ext4Inode> _loaded = [];

    public int Count => _loaded.Count;

    /// <summary>Loads what the entries refer to.</summary>
    /// <exception cref="CorruptVolumeException">They refer to something else.</exception>
    public async ValueTask LoadAsync(IEnumerable<StoredAttribute?> attributes)
    {
        foreach (StoredAttribute? attribute in attributes)
        {
            if (attribute is { ValueInode: not 0 } && !_loaded.ContainsKey(attribute.ValueInode))
            {
                var holder = (Ext4Inode)await user.FileSystem.Inodes.GetAsync(new InodeNumber(attribute.ValueInode)).ConfigureAwait(false);
                _loaded.Add(attribute.ValueInode, holder);
                if (!holder.Is(InodeFlags.ExtendedAttributeInode))
                {
                    var damage = new CorruptVolumeException("attribute", user.ToString(), "e_value_inum", $"{attribute.ValueInode}, which holds no attribute");
                    user.Volume.NoteDamage(damage);
                    throw damage;
                }
            }
        }
    }

    /// <summary>Another entry refers to the value as well: one credit.</summary>
    public ValueTask AddUserAsync(Handle handle, StoredAttribute attribute) => _loaded[attribute.ValueInode].AddAttributeUserAsync(handle);

    /// <summary>The entry is gone: <see cref="OrphanRegister.Credits"/>.</summary>
    public ValueTask DropUserAsync(Handle handle, StoredAttribute attribute) => _loaded[attribute.ValueInode].DropAttributeUserAsync(handle);

    /// <summary>
    /// What the user's i_blocks counts for a value: whole clusters, besides those that the value's inode counts itself. Nothing for a value that Lustre wrote,
    /// which belongs to its user alone.
    /// </summary>
    public long SectorsOf(StoredAttribute attribute)
    {
        uint hash = AttributeValueInode.ReadHash(_loaded[attribute.ValueInode].Record);
        ReadOnlySpan<byte> name = attribute.Name.Suffix.Span;
        bool isCounted = attribute.Hash == AttributeEntry.ComputeHash(name, hash) || attribute.Hash == AttributeEntry.ComputeSignedHash(name, hash);
        return isCounted ? SectorsOf(user.Volume.Geometry, attribute.ValueSize) : 0;
    }

    public static long SectorsOf(VolumeGeometry geometry, uint size)
    {
        long cluster = (long)geometry.BlockSize * geometry.ClusterRatio;
        return (size + cluster - 1) / cluster * cluster / BytesPerSector;
    }

    /// <summary>Lets them go; without users they are freed. No handle is open.</summary>
    public async ValueTask ReleaseAsync()
    {
        foreach (Ext4Inode holder in _loaded.Values)
        {
            await user.FileSystem.Inodes.ReleaseAsync(holder).ConfigureAwait(false);
        }

        _loaded.Clear();
    }
}
