namespace Penstock.Stress.AioStress;

/// <summary>How far a run has come. Any thread.</summary>
internal sealed class AioProgress(CancellationToken cancellation)
{
    private long _bytes;
    private int _stage;

    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>Bytes moved in this stage.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public AioStage Stage => (AioStage)Volatile.Read(ref _stage);

    public void Begin(AioStage stage)
    {
        Volatile.Write(ref _stage, (int)stage);
        Interlocked.Exchange(ref _bytes, 0);
    }

    public void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);
}
