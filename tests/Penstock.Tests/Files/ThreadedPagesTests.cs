using Penstock.Caching;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Locking;
using Penstock.Testing.Devices;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>The buffered paths on real threads: what the simulator's one thread cannot show.</summary>
public sealed class ThreadedPagesTests
{
    [Theory]
    [InlineData(1024)]
    [InlineData(4096)]
    public async Task Writers_readers_truncates_punches_and_syncs_at_once_mix_nothing_up(int blockSize)
    {
        Scheduler scheduler = ThreadedScheduler.CreateForTest();
        scheduler.Recorder = new LockRecorder();
        var volume = new MemoryFileSystem(new SimulatedDevice(scheduler, 4 << 20), new PageCache(scheduler, 256 << 10), blockSize);
        MemoryInode[] inodes = [.. Enumerable.Range(0, 2).Select(i => (MemoryInode)volume.Create((MemoryFileKind)i).Inode)];
        Task[] users = [.. Enumerable.Range(0, 6).Select(i => Task.Run(() => UseAsync(inodes[i % 2], i)))];
        await Task.WhenAll(users).WaitAsync(TimeSpan.FromSeconds(60));
        foreach (MemoryInode inode in inodes)
        {
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.False(inode.Lock.IsHeld || inode.Gate.IsHeld || inode.Invalidation.IsHeld);
            await TruncatePath.SetSizeAsync(inode, 0);
        }

        await volume.Journal.CommitAsync(volume.Journal.Running);
        Assert.Equal(volume.Statistics.Blocks - 1, volume.FreeBlocks);
        Assert.Equal(IoFault.None, inodes[0].Blocks.TryReserve(volume.FreeBlocks));
        Assert.Equal(0, volume.PageCache.DirtyBytes);
        Assert.Empty(scheduler.Recorder!.Violations);
    }

    /// <summary>Values that are written are neither zero nor poison, so that a read of a block that is not the file's tells.</summary>
    private static async Task UseAsync(MemoryInode inode, int user)
    {
        var random = new Random(user);
        ErrorCursor cursor = inode.Pages!.Errors.Sample();
        for (int step = 0; step < 150; step++)
        {
            long offset = random.Next(400) * 512L;
            int length = random.Next(1, 100) * 512;
            switch (random.Next(8))
            {
                case 0 or 1 or 2:
                    var content = new byte[length];
                    Array.Fill(content, (byte)random.Next(1, 200));
                    await PagesFixture.WriteAsync(inode, content, offset);
                    break;
                case 3:
                    await TruncatePath.SetSizeAsync(inode, offset);
                    break;
                case 4:
                    await FallocatePath.PunchAsync(inode, offset, length);
                    break;
                case 5:
                    await SyncPath.FsyncAsync(inode, dataOnly: step % 2 == 0, cursor);
                    await inode.Pages!.InvalidateAsync(offset, length);
                    break;
                default:
                    byte[] read = await PagesFixture.ReadAsync(inode, offset, length);
                    Assert.DoesNotContain(MemoryFileSystem.Poison, read);
                    break;
            }
        }
    }
}
