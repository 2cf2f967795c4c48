using Penstock.Files;
using Xunit;

namespace Penstock.Testing.Files;

/// <summary>A file beside an array that should hold the same: random changes are made to both, and reads compared.</summary>
/// <param name="inode">The file.</param>
/// <param name="random">What happens to it.</param>
/// <param name="shiftUnit">What ranges that are collapsed or inserted are multiples of; 0: the volume's block.</param>
internal sealed class FileModel(Inode inode, Random random, int shiftUnit = 0)
{
    private const int Limit = 512 << 10;

    private readonly byte[] _bytes = new byte[Limit * 2];
    private int _size;

    /// <summary>What the file should hold.</summary>
    public ReadOnlySpan<byte> Content => _bytes.AsSpan(0, _size);

    private int BlockSize => shiftUnit > 0 ? shiftUnit : inode.FileSystem.BlockSize;

    public async Task RunAsync(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            await ChangeAsync(step);
            if (step % 7 == 0)
            {
                await CompareAsync();
            }
        }

        await CompareAsync();
        Assert.Equal(IoFault.None, await WriteBackAsync(0, long.MaxValue));
        Assert.True(inode.Pages is null || await inode.Pages.InvalidateAsync(0, long.MaxValue));
        await CompareAsync();
        Assert.Equal(_size, inode.StoredSize);
    }

    /// <summary>Reads the file and compares.</summary>
    public async Task CompareAsync()
    {
        Assert.Equal(_size, inode.Size);
        Assert.Equal(_bytes[.._size], await BufferedAccess.ReadAsync(inode, 0, _size + 10));
    }

    private async Task ChangeAsync(int step)
    {
        int offset = random.Next(Limit - 70_000);
        int length = random.Next(1, 70_000);
        bool canBeUnwritten = inode.Mapper is not { CanBeUnwritten: false };
        switch (random.Next(canBeUnwritten ? 11 : 7))
        {
            case 0 or 1:
                byte[] content = BufferedAccess.Pattern(length, step);
                Assert.Equal(length, (await BufferedAccess.WriteAsync(inode, content, offset)).Bytes);
                content.CopyTo(_bytes, offset);
                _size = Math.Max(_size, offset + length);
                break;
            case 2:
                Assert.Equal(IoFault.None, await WriteBackAsync(offset, length));
                break;
            case 3:
                await (inode.Pages?.InvalidateAsync(offset, length) ?? new ValueTask<bool>(true));
                break;
            case 4 or 5:
                await FallocatePath.PunchAsync(inode, offset, length);
                _bytes.AsSpan(offset, length).Clear();
                break;
            case 6:
                int size = random.Next(3) == 0 ? random.Next(Limit) : Math.Max(0, _size - random.Next(10_000));
                await TruncatePath.SetSizeAsync(inode, size);
                Resize(size);
                break;
            case 7:
                await FallocatePath.ZeroRangeAsync(inode, offset, length, keepsSize: step % 2 == 0);
                _bytes.AsSpan(offset, length).Clear();
                _size = step % 2 == 0 ? _size : Math.Max(_size, offset + length);
                break;
            case 8:
                await FallocatePath.AllocateAsync(inode, offset, length, keepsSize: step % 2 == 0);
                _size = step % 2 == 0 ? _size : Math.Max(_size, offset + length);
                break;
            case 9:
                await CollapseAsync(offset & -BlockSize, RoundUp(length));
                break;
            default:
                await InsertAsync(offset & -BlockSize, RoundUp(length));
                break;
        }
    }

    /// <summary>What lies in the inode has no pages.</summary>
    private ValueTask<IoFault> WriteBackAsync(long offset, long length) => inode.Pages?.WriteBackAsync(offset, length) ?? new ValueTask<IoFault>(IoFault.None);

    private int RoundUp(int length) => (length + BlockSize - 1) & -BlockSize;

    private void Resize(int size)
    {
        if (size < _size)
        {
            _bytes.AsSpan(size).Clear();
        }

        _size = size;
    }

    private async Task CollapseAsync(int offset, int length)
    {
        if (offset + length < _size)
        {
            await FallocatePath.CollapseAsync(inode, offset, length);
            _bytes.AsSpan((offset + length).._size).CopyTo(_bytes.AsSpan(offset));
            Resize(_size - length);
        }
    }

    private async Task InsertAsync(int offset, int length)
    {
        if (offset < _size && _size + length < Limit)
        {
            await FallocatePath.InsertAsync(inode, offset, length);
            _bytes.AsSpan(offset.._size).CopyTo(_bytes.AsSpan(offset + length));
            _bytes.AsSpan(offset, length).Clear();
            _size += length;
        }
    }
}
