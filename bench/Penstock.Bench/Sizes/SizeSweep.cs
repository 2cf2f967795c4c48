namespace Penstock.Bench.Sizes;

/// <summary>One operation on something that grows.</summary>
/// <param name="name">What is done, by what.</param>
internal sealed class SizeSweep(string name)
{
    private readonly List<(string Size, double Microseconds)> _points = [];

    public string Name => name;

    public IReadOnlyList<(string Size, double Microseconds)> Points => _points;

    public void Add(string size, double microseconds)
    {
        _points.Add((size, microseconds));
        Console.Error.WriteLine(FormattableString.Invariant($"{name}: {size}: {microseconds:F2} us"));
    }
}
