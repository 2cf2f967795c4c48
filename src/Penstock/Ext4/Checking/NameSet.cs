namespace Penstock.Ext4.Checking;

/// <summary>The names of one block: whether one comes twice. Keeps its memory from block to block.</summary>
internal sealed class NameSet
{
    private const int MaxBytes = 65536;
    private const int Slots = 8192;
    private const int MaxNames = (MaxBytes / 12) + 1;

    private readonly byte[] _bytes = new byte[MaxBytes];
    private readonly (int Offset, int Length, uint Hash)[] _names = new (int, int, uint)[MaxNames];
    private readonly short[] _heads = new short[Slots];
    private readonly short[] _nexts = new short[MaxNames];
    private readonly int[] _usedSlots = new int[MaxNames];
    private int _count;
    private int _end;

    public void Start()
    {
        for (int i = 0; i < _count; i++)
        {
            _heads[_usedSlots[i]] = 0;
        }

        (_count, _end) = (0, 0);
    }

    /// <summary>Adds a name; false if it is there.</summary>
    public bool Add(ReadOnlySpan<byte> name)
    {
        uint hash = Crc32C.Append(0, name);
        int slot = (int)(hash % Slots);
        for (int i = _heads[slot]; i != 0; i = _nexts[i - 1])
        {
            (int offset, int length, uint other) = _names[i - 1];
            if (other == hash && _bytes.AsSpan(offset, length).SequenceEqual(name))
            {
                return false;
            }
        }

        name.CopyTo(_bytes.AsSpan(_end));
        _names[_count] = (_end, name.Length, hash);
        _nexts[_count] = _heads[slot];
        _usedSlots[_count] = slot;
        _end += name.Length;
        _heads[slot] = (short)++_count;
        return true;
    }
}
