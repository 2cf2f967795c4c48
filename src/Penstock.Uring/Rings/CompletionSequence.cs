using System.Runtime.CompilerServices;

namespace Penstock.Uring;

/// <summary>The completions of a ring, for a foreach loop; allocates nothing. Entries may be prepared and submitted inside the loop.</summary>
internal ref struct CompletionSequence(Ring ring)
{
    private Completion _current;

    public readonly Completion Current => _current;

    public readonly CompletionSequence GetEnumerator() => this;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MoveNext() => ring.TryReap(out _current);
}
