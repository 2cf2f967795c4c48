namespace Penstock.Cli.Copying;

/// <summary>Buffers that are kept for the next file: most files are small, and a fresh one costs more than they do.</summary>
internal readonly struct AlignedMemory : IDisposable
{
    private static readonly Dictionary<int, Stack<AlignedBuffer>> s_idle = [];
    private readonly AlignedBuffer _buffer;

    private AlignedMemory(AlignedBuffer buffer) => _buffer = buffer;

    public Memory<byte> Memory => _buffer.Memory;

    public static AlignedMemory Rent(int length)
    {
        lock (s_idle)
        {
            if (s_idle.TryGetValue(length, out Stack<AlignedBuffer>? same) && same.TryPop(out AlignedBuffer? idle))
            {
                return new AlignedMemory(idle);
            }
        }

        return new AlignedMemory(new AlignedBuffer(length));
    }

    public void Dispose()
    {
        lock (s_idle)
        {
            if (!s_idle.TryGetValue(_buffer.Length, out Stack<AlignedBuffer>? same))
            {
                s_idle.Add(_buffer.Length, same = new Stack<AlignedBuffer>());
            }

            same.Push(_buffer);
        }
    }
}
