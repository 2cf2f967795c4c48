namespace Penstock.Ext4.Checking;

/// <summary>Who refers to attribute blocks and to the inodes that hold values. Any thread may add.</summary>
internal sealed class AttributeReferences
{
    private readonly Dictionary<ulong, BlockCount> _blocks = [];
    private readonly Dictionary<uint, long> _values = [];
    private readonly Dictionary<uint, ulong> _stored = [];

    /// <summary>Counts a reference to an attribute block.</summary>
    /// <returns>What is known of the block, and whether this is its first reference.</returns>
    public BlockCount AddBlock(ulong block, out bool isFirst)
    {
        lock (_blocks)
        {
            isFirst = !_blocks.TryGetValue(block, out BlockCount? count);
            if (isFirst)
            {
                _blocks.Add(block, count = new BlockCount());
            }

            count!.Seen++;
            return count;
        }
    }

    public void AddValue(uint inode)
    {
        lock (_values)
        {
            _values[inode] = _values.GetValueOrDefault(inode) + 1;
        }
    }

    /// <summary>Keeps what an inode that holds a value says of its references.</summary>
    public void NoteValue(uint inode, ulong references)
    {
        lock (_stored)
        {
            _stored[inode] = references;
        }
    }

    /// <summary>After all inodes: those that hold values, and the references that they say they have.</summary>
    public IEnumerable<KeyValuePair<uint, ulong>> StoredValues => _stored;

    public long ValuesOf(uint inode)
    {
        lock (_values)
        {
            return _values.GetValueOrDefault(inode);
        }
    }

    /// <summary>After all inodes: the blocks, and what was counted of each.</summary>
    public IEnumerable<KeyValuePair<ulong, BlockCount>> Blocks => _blocks;

    /// <summary>What is known of an attribute block.</summary>
    internal sealed class BlockCount
    {
        /// <summary>Inodes that refer to it.</summary>
        public long Seen;

        /// <summary>h_refcount.</summary>
        public uint Stored;

        /// <summary>Clusters of its values in inodes of their own.</summary>
        public ulong ValueClusters;

        public bool IsBad;
    }
}
