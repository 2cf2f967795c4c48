namespace Penstock.Stress.Fsx;

/// <summary>Memory of one transfer in flight, laid out in pieces with gaps between them, at addresses as odd as the transfer allows.</summary>
internal sealed class TransferBuffer(int most) : IDisposable
{
    private const int Page = 4096;
    private const byte Spoilt = 0xA5;

    private readonly AlignedBuffer _memory = new(most + (Page * (FsxSession.MaxPieces + 2)), 1 << 16);
    private Memory<byte>[] _pieces = [];
    private byte[] _flat = new byte[most];

    /// <summary>The pieces, as they were laid.</summary>
    public Memory<byte>[] Memory => _pieces;

    /// <summary>Lays out <paramref name="length"/> bytes. Pieces and their addresses are multiples of <paramref name="alignment"/>.</summary>
    public void Lay(int length, int pieces, int alignment, int number)
    {
        int piece = Math.Max(length / pieces / alignment * alignment, Math.Min(alignment, length));
        int gap = alignment > 1 ? alignment % Page : 1 + (number % 61);
        int at = alignment > 1 ? number % 8 * alignment % Page : number % Page;
        var laid = new List<Memory<byte>>(pieces);
        for (int done = 0; done < length;)
        {
            int size = laid.Count == pieces - 1 ? length - done : Math.Min(piece, length - done);
            laid.Add(_memory.Memory.Slice(at, size));
            at += size + gap;
            done += size;
        }

        _pieces = [.. laid];
    }

    /// <summary>Fills the pieces with what no read should leave there.</summary>
    public void Spoil() => Array.ForEach(_pieces, p => p.Span.Fill(Spoilt));

    /// <summary>Distributes bytes over the pieces.</summary>
    public void Set(ReadOnlySpan<byte> bytes)
    {
        foreach (Memory<byte> piece in _pieces)
        {
            bytes[..piece.Length].CopyTo(piece.Span);
            bytes = bytes[piece.Length..];
        }
    }

    /// <summary>The first bytes of the pieces, together.</summary>
    public ReadOnlySpan<byte> Get(int length)
    {
        if (_pieces.Length == 1)
        {
            return _pieces[0].Span[..length];
        }

        if (_flat.Length < length)
        {
            _flat = new byte[length];
        }

        int done = 0;
        for (int i = 0; i < _pieces.Length && done < length; i++)
        {
            int size = Math.Min(_pieces[i].Length, length - done);
            _pieces[i].Span[..size].CopyTo(_flat.AsSpan(done));
            done += size;
        }

        return _flat.AsSpan(0, length);
    }

    public void Dispose() => ((IDisposable)_memory).Dispose();
}
