using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <summary>
/// A value that has been written to an inode of its own and that no entry refers to yet: an orphan, in handles before the one that changes the attributes, since
/// a value may have more blocks than one handle should touch. Once released, it goes unless an entry took it.
/// </summary>
internal sealed class PreparedValue
{
    /// <summary>Most blocks of a value that one handle writes.</summary>
    private const int BlocksInHandle = 16;

    private readonly Ext4Inode _holder;
    private readonly int _size;
    private readonly uint _hash;

    private PreparedValue(Ext4Inode holder, int size, uint hash) => (_holder, _size, _hash) = (holder, size, hash);

    public uint Number => (uint)_holder.Number.Value;

    /// <summary>What its user's i_blocks counts for it.</summary>
    public long Sectors => ValueHolders.SectorsOf(_holder.Volume.Geometry, (uint)_size);

    /// <summary>Writes a value to a new inode near <paramref name="user"/>. No handle is open.</summary>
    /// <exception cref="FileSystemException">NoSpace.</exception>
    public static async ValueTask<PreparedValue> MakeAsync(Ext4Inode user, byte[] value)
    {
        uint hash = AttributeValueInode.ComputeHash(value, user.Volume.Checksum.Seed);
        Ext4Inode holder = await user.Ext4.MakeValueInodeAsync(user, hash).ConfigureAwait(false);
        var prepared = new PreparedValue(holder, value.Length, hash);
        try
        {
            for (int done = 0; done < value.Length;)
            {
                done = await WriteAsync(holder, value, done).ConfigureAwait(false);
            }

            return prepared;
        }
        catch
        {
            await ReleaseAsync(prepared).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The entry of a name that has this value.</summary>
    public StoredAttribute As(StoredName name) =>
        new(name, [], Number, (uint)_size, AttributeEntry.ComputeHash(name.Suffix.Span, _hash));

    /// <summary>The entry is being written: <see cref="OrphanRegister.Credits"/>.</summary>
    public ValueTask TakeAsync(Handle handle) => _holder.BecomeValueAsync(handle);

    /// <summary>Lets it go, if there is one: freed unless an entry took it. No handle is open.</summary>
    public static ValueTask ReleaseAsync(PreparedValue? prepared) =>
        prepared is null ? ValueTask.CompletedTask : prepared._holder.FileSystem.Inodes.ReleaseAsync(prepared._holder);

    /// <summary>Writes a run of blocks in a handle of its own; returns where to go on.</summary>
    private static async ValueTask<int> WriteAsync(Ext4Inode holder, byte[] value, int done)
    {
        int blockSize = holder.Volume.Geometry.BlockSize;
        Ext4BlockMapper mapper = holder.RequireMapper();
        int blocks = Math.Min(BlocksInHandle, (value.Length - done + blockSize - 1) / blockSize);
        await holder.Ext4.ChangeAsync(mapper.CreditsToAllocate((ulong)blocks) + blocks + 1, async handle =>
        {
            var first = new FileBlock((ulong)(done / blockSize));
            BlockRun run = await mapper.AllocateAsync(handle, first, (ulong)blocks, MapState.Mapped, fromReservation: false).ConfigureAwait(false);
            for (ulong i = 0; i < run.Count; i++)
            {
                MetadataBlock block = holder.Volume.Cache.GetNew(run.Volume + i);
                using (BlockEdit edit = handle.Edit(block))
                {
                    value.AsSpan(done, Math.Min(blockSize, value.Length - done)).CopyTo(edit.Bytes);
                }

                block.Unpin();
                done = Math.Min(done + blockSize, value.Length);
            }

            holder.Size = done;
            holder.StoredSize = done;
            await holder.StoreAsync(handle).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return done;
    }
}
