using System.Globalization;
using System.Numerics;

namespace Penstock.Simulation.Execution;

/// <summary>
/// Everything that happened in a run, as one hash that is the same when the run is the same, bit for bit; on request as lines to read too.
/// </summary>
internal sealed class Trace
{
    private readonly List<string>? _lines;

    public Trace(bool keepsLines) => _lines = keepsLines ? [] : null;

    public ulong Hash { get; private set; } = 0x50656E73746F636B;

    public bool KeepsLines => _lines is not null;

    public IReadOnlyList<string> Lines => _lines ?? [];

    public void Note(TraceKind kind, ulong first, ulong second = 0)
    {
        ulong hash = (Hash ^ ((ulong)kind + 1)) * 0x9E3779B97F4A7C15;
        hash = (BitOperations.RotateLeft(hash, 23) ^ first) * 0xBF58476D1CE4E5B9;
        hash = (BitOperations.RotateLeft(hash, 29) ^ second) * 0x94D049BB133111EB;
        Hash = hash ^ (hash >> 31);
    }

    /// <summary>Forgets the lines so far: what comes before the race.</summary>
    public void Forget() => _lines?.Clear();

    /// <summary>A line for people. The hash does not know of it.</summary>
    public void Tell(long step, string who, string what) =>
        _lines?.Add(string.Create(CultureInfo.InvariantCulture, $"{step,7}  {who,-10} {what}"));
}

/// <summary>What a step of a run was.</summary>
internal enum TraceKind : byte
{
    Continuation,
    Alarm,
    Submission,
    Completion,
    OperationBegun,
    OperationEnded,
    Content,
    Leap,
}
