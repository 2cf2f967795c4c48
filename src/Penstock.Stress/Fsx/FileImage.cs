namespace Penstock.Stress.Fsx;

/// <summary>What a file must hold. Invariant: every byte of the memory at or above <see cref="Size"/> is zero.</summary>
internal sealed class FileImage
{
    private byte[] _bytes = new byte[4096];

    /// <summary>The size in bytes.</summary>
    public long Size { get; private set; }

    /// <summary>The content.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, (int)Size);

    /// <summary>The bytes of a range; zeros beyond the end.</summary>
    public void Read(long offset, Span<byte> bytes)
    {
        bytes.Clear();
        if (offset < Size)
        {
            int length = (int)Math.Min(bytes.Length, Size - offset);
            _bytes.AsSpan((int)offset, length).CopyTo(bytes);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        Extend(offset + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan((int)offset));
    }

    public void SetLength(long length)
    {
        if (length < Size)
        {
            _bytes.AsSpan((int)length, (int)(Size - length)).Clear();
            Size = length;
        }

        Extend(length);
    }

    /// <summary>Makes the file at least so long.</summary>
    public void Extend(long length)
    {
        if (length > _bytes.Length)
        {
            Array.Resize(ref _bytes, (int)Math.Max(length, Math.Min(_bytes.Length * 2L, Array.MaxLength)));
        }

        Size = Math.Max(Size, length);
    }

    /// <summary>Zeroes the part of a range that is inside the file.</summary>
    public void Clear(long offset, long length)
    {
        if (offset < Size)
        {
            _bytes.AsSpan((int)offset, (int)Math.Min(length, Size - offset)).Clear();
        }
    }

    public void Collapse(long offset, long length)
    {
        _bytes.AsSpan((int)(offset + length), (int)(Size - offset - length)).CopyTo(_bytes.AsSpan((int)offset));
        SetLength(Size - length);
    }

    public void Insert(long offset, long length)
    {
        int moved = (int)(Size - offset);
        Extend(Size + length);
        _bytes.AsSpan((int)offset, moved).CopyTo(_bytes.AsSpan((int)(offset + length)));
        _bytes.AsSpan((int)offset, (int)length).Clear();
    }

    /// <summary>Copies from another file, or from elsewhere in this one; returns how much there was to copy.</summary>
    public long Copy(FileImage source, long offset, long target, long length)
    {
        long there = Math.Clamp(source.Size - offset, 0, length);
        if (there > 0)
        {
            Extend(target + there);
            source._bytes.AsSpan((int)offset, (int)there).CopyTo(_bytes.AsSpan((int)target));
        }

        return there;
    }
}
