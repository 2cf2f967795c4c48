using BenchmarkDotNet.Attributes;
using Penstock.Caching;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Bench.Parts;

/// <summary>The inner parts of a request, each alone: what a look-up costs, and what it allocates.</summary>
[MemoryDiagnoser]
public class InnerParts
{
    private const int Block = 4096;
    private const int Blocks = 16384;

    private readonly byte[] _block = new byte[Block];
    private readonly SharedLock _lock = new(Scheduler.Default, LockRank.Inode);
    private OpenFile _whole = null!;
    private OpenFile _fragmented = null!;
    private Volume _volume = null!;
    private ulong _random = 88172645463325252;

    /// <summary>A volume in memory with a cached file, and with one that has a thousand extents.</summary>
    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _volume = await MemoryVolume.MakeAsync(1L << 30);
        _whole = await _volume.OpenFileAsync("/whole", FileMode.CreateNew, FileAccess.ReadWrite);
        for (int i = 0; i < Blocks; i++)
        {
            await _whole.WriteAsync(_block, (long)i * Block);
        }

        _fragmented = await _volume.OpenFileAsync("/fragmented", FileMode.CreateNew, FileAccess.ReadWrite, IoOptions.Direct);
        await MemoryVolume.FragmentAsync(_fragmented, 1000);
    }

    [GlobalCleanup]
    public async Task CleanUpAsync()
    {
        await _whole.DisposeAsync();
        await _fragmented.DisposeAsync();
        await _volume.DisposeAsync();
    }

    [Benchmark(Description = "lock, uncontended: acquire and release")]
    public void Lock()
    {
        _lock.TryAcquireExclusive();
        _lock.ReleaseExclusive();
    }

    [Benchmark(Description = "lock, handed over to who waits for it")]
    public async Task HandOverAsync()
    {
        await _lock.AcquireExclusiveAsync();
        ValueTask next = _lock.AcquireExclusiveAsync();
        _lock.ReleaseExclusive();
        await next;
        _lock.ReleaseExclusive();
    }

    [Benchmark(Description = "page look-up, pinned and let go, at random among 16,384")]
    public bool FindPage()
    {
        CachePage? page = _whole.Inode.Pages!.TryPinUpToDate((long)(Next() % Blocks));
        page?.Unpin();
        return page is not null;
    }

    [Benchmark(Description = "extent look-up, at random among 1,000 extents")]
    public bool FindExtent() => _fragmented.Inode.Mapper!.TryMap(new FileBlock(Next() % 2000), 1, out _);

    [Benchmark(Description = "checksum of 4 KiB")]
    public uint Checksum() => Crc32C.Append(Crc32C.Start, _block);

    private ulong Next()
    {
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        return _random;
    }
}
