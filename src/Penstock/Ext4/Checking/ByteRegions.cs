namespace Penstock.Ext4.Checking;

/// <summary>Which bytes of a small area have an owner.</summary>
internal sealed class ByteRegions
{
    private readonly List<(int Begin, int End)> _taken = [];
    private int _length;

    public void Start(int length)
    {
        _taken.Clear();
        _length = length;
    }

    /// <summary>Takes bytes; false if they are taken or not there.</summary>
    public bool Add(int begin, int length)
    {
        if (begin < 0 || length < 0 || begin + length > _length)
        {
            return false;
        }

        foreach ((int otherBegin, int otherEnd) in _taken)
        {
            if (begin < otherEnd && otherBegin < begin + length)
            {
                return false;
            }
        }

        _taken.Add((begin, begin + length));
        return true;
    }
}
