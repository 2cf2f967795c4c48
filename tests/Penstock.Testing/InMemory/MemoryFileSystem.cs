using Penstock.Caching;
using Penstock.Devices;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Testing.InMemory;

/// <summary>
/// The smallest file system that the contracts allow: files without names, metadata in memory, data on a device. It shows the
/// contracts to be enough for a format that is not ext4, and lets the paths above be tested without one. Free blocks are poisoned, so
/// that a read of one shows.
/// </summary>
internal class MemoryFileSystem : FileSystem
{
    /// <summary>What free blocks hold.</summary>
    public const byte Poison = 0xDB;

    private readonly object _latch = new();
    private readonly Devices.SimulatedDevice _device;
    private readonly bool[] _isTaken;
    private readonly Dictionary<InodeNumber, MemoryInode> _files = [];
    private readonly MemoryJournal _journal;
    private ulong _cursor = 1;
    private ulong _reserved;
    private uint _nextNumber = 10;

    public MemoryFileSystem(Devices.SimulatedDevice device, PageCache pageCache, int blockSize = 4096)
        : base(device, pageCache)
    {
        _device = device;
        BlockSize = blockSize;
        _isTaken = new bool[device.Length / blockSize];
        _isTaken[0] = true;
        _journal = new MemoryJournal(device, FreedCommitted);
        byte[] poison = new byte[blockSize];
        Array.Fill(poison, Poison);
        for (long block = 1; block < _isTaken.Length; block++)
        {
            device.Poke(block * blockSize, poison);
        }
    }

    public override MetadataJournal Journal => _journal;

    public MemoryJournal MemoryJournal => _journal;

    public override string FormatName => "memory";

    public override int BlockSize { get; }

    public override string? ReadOnlyReason => _journal.IsAborted ? "the journal is aborted" : null;

    public override InodeNumber RootNumber => default;

    public override long MaxFileSize => 1L << 44;

    public override bool HasNanoseconds => true;

    public override VolumeStatistics Statistics =>
        new(BlockSize, (ulong)_isTaken.Length, FreeBlocks, FreeBlocks, uint.MaxValue, uint.MaxValue);

    public ulong FreeBlocks
    {
        get
        {
            lock (_latch)
            {
                return (ulong)_isTaken.Count(t => !t);
            }
        }
    }

    /// <summary>Makes a file and opens it.</summary>
    public OpenFile Create(MemoryFileKind kind = MemoryFileKind.Extents, IoOptions options = IoOptions.None, ushort mode = 0x81A4)
    {
        Timestamp now = Now;
        var attributes = new InodeAttributes { Mode = mode, Links = 1, AccessTime = now, ModifyTime = now, ChangeTime = now, BirthTime = now };
        var inode = new MemoryInode(this, new InodeNumber(_nextNumber++), attributes, kind);
        lock (_latch)
        {
            _files.Add(inode.Number, inode);
        }

        return Open(inode, options);
    }

    /// <summary>Opens a file again.</summary>
    public OpenFile Open(MemoryInode inode, IoOptions options = IoOptions.None)
    {
        inode.References++;
        return new OpenFile(inode, FileAccess.ReadWrite, options);
    }

    public (ulong First, ulong Count) Allocate(ulong count, bool fromReservation)
    {
        lock (_latch)
        {
            ulong free = (ulong)_isTaken.Count(t => !t);
            if (free == 0 || (!fromReservation && free <= _reserved))
            {
                throw new FileSystemException(IoFault.NoSpace, "no free block");
            }

            // What is reserved is promised to somebody else.
            count = fromReservation ? count : Math.Min(count, free - _reserved);
            ulong first = NextFree();
            ulong got = 0;
            while (got < count && first + got < (ulong)_isTaken.Length && !_isTaken[first + got])
            {
                _isTaken[first + got++] = true;
            }

            if (fromReservation)
            {
                _reserved -= Math.Min(_reserved, got);
            }

            _cursor = first + got;
            return (first, got);
        }
    }

    public bool TryReserve(ulong count)
    {
        lock (_latch)
        {
            if ((ulong)_isTaken.Count(t => !t) < _reserved + count)
            {
                return false;
            }

            _reserved += count;
            return true;
        }
    }

    public void CancelReservation(ulong count)
    {
        lock (_latch)
        {
            _reserved -= count;
        }
    }

    /// <summary>The block is no file's any more; it becomes free once the transaction that freed it is committed.</summary>
    public void Free(ulong block)
    {
        lock (_latch)
        {
            if (!_isTaken[block])
            {
                throw new InvalidOperationException($"Block {block} is freed twice.");
            }
        }

        if (Scheduler.IsBroken(Penstock.Execution.Rule.FreedBlocksWaitForCommit))
        {
            FreedCommitted(new VolumeBlock(block), 1);
        }
    }

    public override ValueTask<Inode> LoadInodeAsync(InodeNumber number) => throw new FileSystemException(IoFault.Stale);

    public override ValueTask<InodeNumber> LookupAsync(Inode directory, FileName name) => throw NoNames();

    public override ValueTask<Inode> CreateAsync(Inode directory, FileName name, NewInode what) => throw NoNames();

    public override ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewInode what) => throw NoNames();

    public override ValueTask LinkAsync(Inode directory, FileName name, Inode target) => throw NoNames();

    public override ValueTask UnlinkAsync(Inode directory, FileName name, Inode target) => throw NoNames();

    public override ValueTask RenameAsync(RenameRequest request) => throw NoNames();

    public override ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink) => throw NoNames();

    public override ValueTask DeleteInodeAsync(Inode inode) => inode.TruncateBlocksAsync(0);

    public override uint GetFormatFlags(Inode inode) => 0;

    public override ValueTask SetFormatFlagsAsync(Inode inode, uint flags) => throw new FileSystemException(IoFault.NotSupported);

    public override ValueTask<long> TrimAsync(long offset, long length, long minimumLength) => new(0);

    public override ValueTask DisposeAsync() => _journal.DisposeAsync();

    private static FileSystemException NoNames() => new(IoFault.NotSupported, "the in-memory file system has no names");

    private ulong NextFree()
    {
        for (ulong i = 0; i < (ulong)_isTaken.Length; i++)
        {
            ulong block = (_cursor + i) % (ulong)_isTaken.Length;
            if (!_isTaken[block])
            {
                return block;
            }
        }

        throw new FileSystemException(IoFault.NoSpace, "no free block");
    }

    private void FreedCommitted(VolumeBlock first, ulong count)
    {
        byte[] poison = new byte[BlockSize];
        Array.Fill(poison, Poison);
        lock (_latch)
        {
            for (ulong block = first.Value; block < first.Value + count; block++)
            {
                _isTaken[block] = false;
                _device.Poke((long)block * BlockSize, poison);
            }
        }
    }
}
