using System.Buffers;
using System.IO.MemoryMappedFiles;
using Penstock.Devices;
using Penstock.Fuse;
using Penstock.Uring;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>
/// The memory of a request is mapped from a file of the very volume that this process mounts: each first touch of a page is a request to ourselves. So it is touched under no
/// lock, on no thread that such a request needs, and not by managed code, for which a collection of garbage waits; or nothing would ever finish.
/// </summary>
public sealed class MappedMemoryTests : IDisposable
{
    private const int PieceLength = 256 << 10;
    private const int Pieces = 12;
    private const long MapLength = Pieces * PieceLength;

    private readonly ScratchFolder _scratch = new();

    private string Mounted => _scratch["mnt"];

    public void Dispose() => _scratch.Dispose();

    [FuseFact]
    public Task Memory_of_the_mount_serves_every_request_through_io_uring() => UseAsync(isPortable: false);

    [FuseFact]
    public Task Memory_of_the_mount_serves_every_request_through_the_portable_path() => UseAsync(isPortable: true);

    private async Task UseAsync(bool isPortable)
    {
        string image = _scratch["v.img"];
        Directory.CreateDirectory(Mounted);
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", image, "128M");
        BlockDevice device = await DeviceOpener.OpenAsync(image, new DeviceOptions { IsPortable = isPortable });
        Volume volume = await Volume.OpenAsync(device, VolumeOptions.Default);
        Mount mount = await Mount.StartAsync(volume, Mounted);
        Task work = Task.Run(() => WorkAsync(volume, mount));
        bool hasEnded = await Task.WhenAny(work, Task.Delay(TimeSpan.FromSeconds(90))) == work;
        if (!hasEnded)
        {
            // The connection ends, and with it the wait of whoever touches the memory; without that not even this process could end.
            OutsideProgram.TryRun("umount", "-f", "-l", Mounted);
            Assert.Fail("Requests with memory that is mapped from the mount did not end.");
        }

        await work;
        await mount.UnmountAsync();
        await mount.Completion;
        await volume.DisposeAsync();
        OutsideProgram.Run("e2fsck", "-fn", image);
    }

    private async Task WorkAsync(Volume volume, Mount mount)
    {
        byte[] content = new byte[MapLength];
        new Random(5).NextBytes(content);
        await File.WriteAllBytesAsync(Path.Combine(Mounted, "mapped"), content);
        await File.WriteAllBytesAsync(Path.Combine(Mounted, "other"), content.Reverse().ToArray());
        using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(Path.Combine(Mounted, "mapped"), FileMode.Open);
        using MemoryMappedViewAccessor view = map.CreateViewAccessor(0, MapLength);
        using var memory = new MappedMemory(view);
        foreach (string name in new[] { "other", "mapped" })
        {
            foreach (IoOptions options in new[] { IoOptions.None, IoOptions.Direct })
            {
                await using OpenFile file = await volume.OpenFileAsync($"/{name}", FileMode.Open, FileAccess.ReadWrite, options);
                await WriteAllAsync(mount, file, memory);
                await ReadAllAsync(mount, file, memory);
            }
        }
    }

    /// <summary>All pieces at once, and each a request that nobody waits for before the next; then some by calls that block. What is written lies behind what is mapped.</summary>
    private static async Task WriteAllAsync(Mount mount, OpenFile file, MappedMemory mapped)
    {
        Memory<byte> memory = mapped.Memory;
        byte[] expected = mapped.Copy();
        await ForgetAsync(mount);
        await Task.WhenAll(Enumerable.Range(0, Pieces).Select(async i =>
            Assert.Equal(PieceLength, await file.WriteAsync(memory.Slice(i * PieceLength, PieceLength), MapLength + (i * PieceLength)))));
        await JudgeAsync(file, expected);

        await ForgetAsync(mount);
        await Task.WhenAll(Enumerable.Range(0, Pieces).Select(i => Task.Factory.StartNew(
            () => Assert.Equal(PieceLength, file.Write(memory.Slice(i * PieceLength, PieceLength), MapLength + (i * PieceLength))), TaskCreationOptions.LongRunning)));
        await JudgeAsync(file, expected);

        await ForgetAsync(mount);
        ReadOnlyMemory<byte>[] vector = [.. Enumerable.Range(0, Pieces).Select(i => (ReadOnlyMemory<byte>)memory.Slice(i * PieceLength, PieceLength))];
        Assert.Equal(MapLength, await file.WriteAsync(vector, MapLength));
        await JudgeAsync(file, expected);
    }

    /// <summary>The same into the memory: a store makes the kernel ask for the page as well.</summary>
    private static async Task ReadAllAsync(Mount mount, OpenFile file, MappedMemory mapped)
    {
        Memory<byte> memory = mapped.Memory;
        byte[] expected = mapped.Copy();
        for (int round = 0; round < 3; round++)
        {
            Array.Reverse(expected);
            Assert.Equal(MapLength, await file.WriteAsync(Aligned(expected).Memory, MapLength));
            await ForgetAsync(mount);
            switch (round)
            {
                case 0:
                    await Task.WhenAll(Enumerable.Range(0, Pieces).Select(async i =>
                        Assert.Equal(PieceLength, await file.ReadAsync(memory.Slice(i * PieceLength, PieceLength), MapLength + (i * PieceLength)))));
                    break;
                case 1:
                    await Task.WhenAll(Enumerable.Range(0, Pieces).Select(i => Task.Factory.StartNew(
                        () => Assert.Equal(PieceLength, file.Read(memory.Slice(i * PieceLength, PieceLength), MapLength + (i * PieceLength))), TaskCreationOptions.LongRunning)));
                    break;
                default:
                    Memory<byte>[] vector = [.. Enumerable.Range(0, Pieces).Select(i => memory.Slice(i * PieceLength, PieceLength))];
                    Assert.Equal(MapLength, await file.ReadAsync(vector, MapLength));
                    break;
            }

            Assert.True(mapped.Copy().AsSpan().SequenceEqual(expected));
        }
    }

    private static async Task JudgeAsync(OpenFile file, byte[] expected)
    {
        using AlignedBuffer read = new((int)MapLength);
        Assert.Equal(MapLength, await file.ReadAsync(read.Memory, MapLength));
        Assert.True(read.Memory.Span.SequenceEqual(expected));
    }

    /// <summary>No page of the mapped file is in the kernel's cache any more; its pages that were stored to are written back on the way.</summary>
    private static async Task ForgetAsync(Mount mount) => await mount.InvalidateAsync("/mapped");

    private static AlignedBuffer Aligned(byte[] bytes)
    {
        var buffer = new AlignedBuffer(bytes.Length);
        bytes.CopyTo(buffer.GetSpan());
        return buffer;
    }

    /// <summary>A view of a mapped file as memory of .NET.</summary>
    private sealed unsafe class MappedMemory : MemoryManager<byte>
    {
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;

        public MappedMemory(MemoryMappedViewAccessor view)
        {
            _view = view;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        }

        public byte[] Copy()
        {
            byte[] copy = GC.AllocateUninitializedArray<byte>((int)MapLength, pinned: true);
            fixed (byte* to = copy)
            {
                HostMemory.Move((nint)to, (nint)_start, copy.Length);
            }

            return copy;
        }

        public override Span<byte> GetSpan() => new(_start, (int)MapLength);

        public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing) => _view.SafeMemoryMappedViewHandle.ReleasePointer();
    }
}
