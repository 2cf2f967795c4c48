namespace Penstock.Stress.Fsx;

/// <summary>How often kinds are chosen, and in how many of a hundred transfers each mode.</summary>
internal sealed class FsxWeights
{
    public const string Direct = "direct";
    public const string Async = "async";
    public const string Vectored = "vectored";
    public const string Durable = "durable";

    /// <summary>Direct reads beyond the block that holds the end: no mode of its own, but some targets fail them.</summary>
    public const string DirectPastEnd = "direct-past-end";

    /// <summary>Words for several kinds at once.</summary>
    private static readonly Dictionary<string, OperationKind[]> s_groups = new(StringComparer.Ordinal)
    {
        ["mapped"] = [OperationKind.MapRead, OperationKind.MapWrite],
        ["fallocate"] = [.. OperationKinds.All.Where(k => k.ToRangeChange() is not null)],
    };

    private static readonly Dictionary<string, int> s_modes = new(StringComparer.Ordinal)
    {
        [Direct] = 35, [DirectPastEnd] = 100, [Async] = 20, [Vectored] = 20, [Durable] = 3,
    };

    private readonly int[] _kinds;
    private readonly Dictionary<string, int> _modes;

    public FsxWeights(FsxOptions options)
    {
        _kinds = [.. OperationKinds.All.Select(Default)];
        _modes = new Dictionary<string, int>(s_modes);
        foreach ((string word, int weight) in options.Weights)
        {
            Set(word, weight);
        }

        foreach (string word in options.Skipped)
        {
            Set(word, 0);
        }
    }

    /// <summary>Every word that a weight or a "--no-" can be given for.</summary>
    public static IReadOnlyList<string> Words { get; } = [.. s_modes.Keys, .. s_groups.Keys, .. OperationKinds.All.Select(k => k.ToWord())];

    /// <summary>The weight of a kind.</summary>
    public int this[OperationKind kind] => _kinds[(int)kind];

    /// <summary>In how many of a hundred transfers a mode is chosen.</summary>
    public int PercentOf(string mode) => _modes[mode];

    /// <summary>Leaves out what a word stands for.</summary>
    public void Leave(string word) => Set(word, 0);

    public OperationKind Choose(SeededChance chance)
    {
        long left = chance.Below(_kinds.Sum());
        int kind = 0;
        while (left >= _kinds[kind])
        {
            left -= _kinds[kind++];
        }

        return (OperationKind)kind;
    }

    private static int Default(OperationKind kind) => kind switch
    {
        OperationKind.Write => 200,
        OperationKind.Read => 220,
        OperationKind.Append => 50,
        OperationKind.MapWrite or OperationKind.MapRead => 60,
        OperationKind.Truncate => 50,
        OperationKind.Copy => 40,
        OperationKind.Seek => 30,
        OperationKind.Sync or OperationKind.DataSync => 8,
        OperationKind.Reopen => 8,
        OperationKind.Remount => 1,
        _ => 25,
    };

    private void Set(string word, int weight)
    {
        if (_modes.ContainsKey(word))
        {
            _modes[word] = Math.Clamp(weight, 0, 100);
            return;
        }

        foreach (OperationKind kind in s_groups.TryGetValue(word, out OperationKind[]? group) ? group : OperationKinds.All.Where(k => k.ToWord() == word))
        {
            _kinds[(int)kind] = weight;
        }
    }
}
