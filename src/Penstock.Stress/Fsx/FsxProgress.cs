using System.Diagnostics;

namespace Penstock.Stress.Fsx;

/// <summary>How far a run has come. Any thread.</summary>
internal sealed class FsxProgress(CancellationToken cancellation)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _operations;
    private long _bytes;
    private int _isShrinking;

    public CancellationToken Cancellation { get; } = cancellation;

    public TimeSpan Elapsed => _clock.Elapsed;

    public long Operations => Volatile.Read(ref _operations);

    /// <summary>Bytes that were written, read, copied or otherwise named.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Whether the failure was found and its log is being shrunk.</summary>
    public bool IsShrinking
    {
        get => Volatile.Read(ref _isShrinking) != 0;
        set => Volatile.Write(ref _isShrinking, value ? 1 : 0);
    }

    public void Add(IReadOnlyList<FsxOperation> batch)
    {
        Interlocked.Add(ref _operations, batch.Count);
        Interlocked.Add(ref _bytes, batch.Sum(o => o.Length));
    }
}
