namespace Penstock.Simulation.Crash.Model;

/// <summary>The values that a file's extended attributes may have: the durable one, or any that was set since.</summary>
internal sealed class AttributeModel
{
    private readonly Dictionary<string, List<Version>> _versions = [];

    /// <summary>A value is being set; null removes it.</summary>
    public void Begin(string name, byte[]? value)
    {
        if (!_versions.TryGetValue(name, out List<Version>? versions))
        {
            _versions[name] = versions = [new Version(null) { HasEnded = true }];
        }

        versions.Add(new Version(value));
    }

    /// <summary>The last value was set, or was refused.</summary>
    public void End(string name, bool isSet)
    {
        List<Version> versions = _versions[name];
        versions[^1].HasEnded = true;
        if (!isSet)
        {
            versions.RemoveAt(versions.Count - 1);
        }
    }

    /// <summary>What a sync that begins now will cover.</summary>
    public Dictionary<string, Version> BeginSync() => _versions.ToDictionary(static v => v.Key, static v => v.Value.FindLast(static w => w.HasEnded)!);

    public void EndSync(Dictionary<string, Version> covered)
    {
        foreach ((string name, Version version) in covered)
        {
            int at = _versions[name].IndexOf(version);
            _versions[name].RemoveRange(0, Math.Max(at, 0));
        }
    }

    /// <summary>What is wrong with the values found, or null. Without a journal one that is being changed may be lost with its block.</summary>
    public string? Judge(IReadOnlyDictionary<string, byte[]> found, bool isOrdered)
    {
        foreach ((string name, List<Version> versions) in _versions)
        {
            byte[]? value = found.GetValueOrDefault(name);
            bool mayBeGone = !isOrdered && versions.Count > 1 && value is null;
            if (!mayBeGone && !versions.Exists(v => v.Value is null ? value is null : value is not null && value.AsSpan().SequenceEqual(v.Value)))
            {
                return $"its attribute {name} is {(value is null ? "not there" : $"one of {value.Length} bytes that nobody may see")}";
            }
        }

        return found.Keys.FirstOrDefault(n => !_versions.ContainsKey(n)) is { } stranger ? $"it has an attribute {stranger} that nobody set" : null;
    }

    /// <summary>A value that an attribute has had.</summary>
    internal sealed class Version(byte[]? value)
    {
        public byte[]? Value { get; } = value;

        public bool HasEnded { get; set; }
    }
}
