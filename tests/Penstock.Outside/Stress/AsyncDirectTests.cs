using System.IO.MemoryMappedFiles;
using Penstock.Outside.Volumes;
using Penstock.Stress.Targets;
using Xunit;

namespace Penstock.Outside.Stress;

/// <summary>
/// What the direct-I/O regression programs of the Linux test projects look for, on a mount, with requests in flight by io_uring: the end of the file, parts of a
/// block in a hole, readers beside appends, memory that is mapped from the same mount.
/// </summary>
public sealed class AsyncDirectTests
{
    private const int Sector = 512;
    private const int Block = 4096;

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -t ext2 -O ^extents,^64bit")]
    public void When_an_extending_write_has_completed_the_size_shows_it(string making) => Use(making, (folder, file) =>
    {
        const int Depth = 6;
        using var memory = new AlignedBuffer(16 * Sector);
        using TransferQueue queue = folder.CreateQueue(Depth);
        long end = 0;
        var ends = new long[Depth];
        for (int round = 0; round < 60; round++)
        {
            for (int slot = 0; slot < Depth; slot++)
            {
                Memory<byte> bytes = memory.Memory[..(Sector * (1 + ((round + slot) % 16)))];
                queue.Add(slot, new Transfer(file, IsWrite: true, [bytes], end, TransferModes.Direct));
                ends[slot] = end += bytes.Length;
            }

            queue.Submit();
            for (int i = 0; i < Depth; i++)
            {
                int slot = queue.Take(out IoResult result);
                Assert.Equal(IoFault.None, file.GetLength(out long length));
                Assert.True(!result.IsFailed && length >= ends[slot], $"{result.Fault}: {length} bytes after a write up to {ends[slot]}");
            }
        }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_reads_at_the_end_beside_appends_sees_their_data_or_nothing(bool isDirect) => Use("mkfs.ext4", (folder, file) =>
    {
        const byte Data = 0x41;
        long end = 0;
        bool isDone = false;
        string? problem = null;
        var reader = new Thread(() =>
        {
            using StressFile other = folder.Open(file.Name, isNew: false);
            using var seen = new AlignedBuffer(Block);
            while (!Volatile.Read(ref isDone))
            {
                long at = Volatile.Read(ref end);
                IoResult result = other.Read([seen.Memory], at, isDirect ? TransferModes.Direct : TransferModes.Buffered);
                if (result.IsFailed || seen.Memory.Span[..(int)result.Bytes].ContainsAnyExcept(Data))
                {
                    problem = $"{result.Fault} after {result.Bytes} bytes at {at}, which are not all of the append";
                    return;
                }
            }
        });
        reader.Start();
        using var memory = new AlignedBuffer(Block);
        memory.Memory.Span.Fill(Data);
        using (TransferQueue queue = folder.CreateQueue(1))
        {
            for (; end < 400 * Block && Volatile.Read(ref problem) is null; Volatile.Write(ref end, end + Block))
            {
                Assert.Equal(IoResult.Transferred(Block), Complete(queue, new Transfer(file, IsWrite: true, [memory.Memory], end, TransferModes.Direct)));
            }
        }

        Volatile.Write(ref isDone, true);
        reader.Join();
        Assert.Null(problem);
    });

    [Theory]
    [InlineData("mkfs.ext4", Sector)]
    [InlineData("mkfs.ext4 -b 1024", Sector)]
    [InlineData("mkfs.ext4 -t ext2 -O ^extents,^64bit", 4 * Sector)]
    public void Parts_of_a_block_that_fill_a_hole_at_once_all_stay(string making, int part) => Use(making, (folder, file) =>
    {
        const byte Data = 0x48;
        const int Length = 64 * Block;
        Assert.Equal(IoFault.None, file.SetLength(Length));
        using var memory = new AlignedBuffer(Block);
        memory.Memory.Span.Fill(Data);
        using TransferQueue queue = folder.CreateQueue(Block / part);
        for (long block = 0; block < Length; block += Block)
        {
            for (int slot = 0; slot < Block / part; slot++)
            {
                queue.Add(slot, new Transfer(file, IsWrite: true, [memory.Memory.Slice(slot * part, part)], block + (slot * part), TransferModes.Direct));
            }

            queue.Submit();
            for (int i = 0; i < Block / part; i++)
            {
                queue.Take(out IoResult result);
                Assert.Equal(IoResult.Transferred(part), result);
            }
        }

        var read = new byte[Length];
        Assert.Equal(IoResult.Transferred(Length), file.Read([read], 0, TransferModes.Buffered));
        Assert.Equal(-1, read.AsSpan().IndexOfAnyExcept(Data));
    });

    [Fact]
    public void A_direct_read_of_the_last_block_ends_where_the_file_does() => Use("mkfs.ext4", (folder, file) =>
    {
        using var memory = new AlignedBuffer(2 * Block);
        using TransferQueue queue = folder.CreateQueue(1);
        for (int length = 1; length < Block; length += 97)
        {
            Assert.Equal(IoFault.None, file.SetLength(Block + length));
            memory.Memory.Span.Fill(1);
            Assert.Equal(IoResult.Transferred(length), Complete(queue, new Transfer(file, IsWrite: false, [memory.Memory[..Block]], Block, TransferModes.Direct)));
            Assert.False(memory.Memory.Span[..length].ContainsAnyExcept((byte)0));
            Assert.Equal(
                IoResult.Transferred(0), Complete(queue, new Transfer(file, IsWrite: false, [memory.Memory[..Block]], 2 * Block, TransferModes.Direct)));
        }
    });

    [Fact]
    public void The_memory_of_a_direct_request_may_be_mapped_from_the_same_mount() => MountedVolume.Use("mkfs.ext4", v =>
    {
        const int Length = 16 * Block;
        string source = Path.Combine(v.Root, "mapped");
        File.WriteAllBytes(source, [.. Enumerable.Range(0, Length).Select(static i => (byte)(i / 7))]);
        using var folder = new HostFolder(v.Root);
        using StressFile file = folder.Open("target", isNew: true);
        using (MemoryMappedFile mapping = MemoryMappedFile.CreateFromFile(source, FileMode.Open))
        using (MemoryMappedViewAccessor view = mapping.CreateViewAccessor())
        {
            using var memory = new ViewMemory(view, Length);
            Assert.Equal(IoResult.Transferred(Length), file.Write([memory.Memory], 0, TransferModes.Direct));
            memory.Memory.Span.Clear();
            Assert.Equal(IoResult.Transferred(Length - Block), file.Read([memory.Memory[Block..]], Block, TransferModes.Direct));
        }

        byte[] written = File.ReadAllBytes(Path.Combine(v.Root, "target"));
        byte[] read = File.ReadAllBytes(source);
        Assert.True(Enumerable.Range(0, Length).All(i => written[i] == (byte)(i / 7) && read[i] == (i < Block ? 0 : written[i])));
    });

    private static void Use(string making, Action<HostFolder, StressFile> body) => MountedVolume.Use(making, v =>
    {
        using var folder = new HostFolder(v.Root);
        using StressFile file = folder.Open("f", isNew: true);
        body(folder, file);
    });

    private static IoResult Complete(TransferQueue queue, in Transfer transfer)
    {
        queue.Add(0, transfer);
        queue.Submit();
        queue.Take(out IoResult result);
        return result;
    }

    /// <summary>A view of a mapped file as memory.</summary>
    private sealed unsafe class ViewMemory : System.Buffers.MemoryManager<byte>
    {
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _address;
        private readonly int _length;

        public ViewMemory(MemoryMappedViewAccessor view, int length)
        {
            (_view, _length) = (view, length);
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref _address);
        }

        public override Span<byte> GetSpan() => new(_address, _length);

        public override System.Buffers.MemoryHandle Pin(int elementIndex = 0) => new(_address + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing) => _view.SafeMemoryMappedViewHandle.ReleasePointer();
    }
}
