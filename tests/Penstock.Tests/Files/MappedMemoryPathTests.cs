using System.Buffers;
using Penstock.Tests.Uring;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Memory that is neither an array nor our own may be mapped from a file. Requests with it do what all others do; that they cannot hang is tested on a mount.</summary>
public sealed class MappedMemoryPathTests : IDisposable
{
    private const int Length = 3 << 20;

    private readonly TemporaryFile _image = new(64 << 20);

    public void Dispose() => _image.Dispose();

    [Theory]
    [InlineData(IoOptions.None)]
    [InlineData(IoOptions.Direct)]
    [InlineData(IoOptions.Append)]
    [InlineData(IoOptions.Direct | IoOptions.Append)]
    public async Task What_is_written_is_read(IoOptions options)
    {
        await Volume.MakeAsync(_image.Path, new MakingOptions());
        await using Volume volume = await Volume.OpenAsync(_image.Path);
        await using OpenFile file = await volume.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite, options);
        using var memory = new OtherMemory();
        new Random(3).NextBytes(memory.GetSpan());
        byte[] expected = memory.GetSpan().ToArray();
        Assert.Equal(4096, await file.WriteAsync(memory.Memory[..4096], 0));
        ReadOnlyMemory<byte>[] rest = [memory.Memory[4096..8192], memory.Memory[8192..]];
        Assert.Equal(Length - 4096, await file.WriteAsync(rest, 4096));
        memory.GetSpan().Clear();
        Assert.Equal(Length, await file.ReadAsync(memory.Memory, 0));
        Assert.True(memory.GetSpan().SequenceEqual(expected));
        memory.GetSpan().Clear();

        // Beyond the end nothing is touched.
        Assert.Equal(8192, await file.ReadAsync(memory.Memory[..65536], Length - 8192));
        Assert.True(memory.GetSpan()[..8192].SequenceEqual(expected.AsSpan(Length - 8192)));
        Assert.False(memory.GetSpan()[8192..].ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_misaligned_direct_request_is_refused_for_what_it_is()
    {
        await Volume.MakeAsync(_image.Path, new MakingOptions());
        await using Volume volume = await Volume.OpenAsync(_image.Path);
        await using OpenFile file = await volume.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite, IoOptions.Direct);
        using var memory = new OtherMemory();
        foreach (ReadOnlyMemory<byte> misaligned in new ReadOnlyMemory<byte>[] { memory.Memory.Slice(1, 4096), memory.Memory[..100] })
        {
            FileSystemException e = await Assert.ThrowsAsync<FileSystemException>(async () => await file.WriteAsync(misaligned, 0));
            Assert.Equal(IoFault.InvalidArgument, e.Fault);
        }

        Assert.Equal(0, file.Length);
    }

    /// <summary>Aligned memory of a kind that the library does not know.</summary>
    private sealed class OtherMemory : MemoryManager<byte>
    {
        private readonly AlignedBuffer _buffer = new(Length);

        public override Span<byte> GetSpan() => _buffer.GetSpan();

        public override MemoryHandle Pin(int elementIndex = 0) => _buffer.Pin(elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing) => ((IDisposable)_buffer).Dispose();
    }
}
