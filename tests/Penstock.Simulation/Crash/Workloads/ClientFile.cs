using Penstock.Simulation.Crash.Model;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>A file that a client has open.</summary>
internal sealed class ClientFile(Node node, OpenFile open) : IAsyncDisposable
{
    public Node Node { get; } = node;

    public OpenFile Open { get; } = open;

    public long Size => Node.Content.Size;

    public ValueTask DisposeAsync() => Open.DisposeAsync();
}
