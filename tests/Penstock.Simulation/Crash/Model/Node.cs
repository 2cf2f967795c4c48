using Penstock.Files;

namespace Penstock.Simulation.Crash.Model;

/// <summary>A file, directory or link that a workload made, and all that is promised of it besides its names.</summary>
internal sealed class Node(int id, FileKind kind)
{
    public int Id { get; } = id;

    public FileKind Kind { get; } = kind;

    /// <summary>The inode's number; 0 as long as the call that makes it has not returned.</summary>
    public ulong Inode { get; set; }

    public string? LinkTarget { get; init; }

    public ContentModel Content { get; } = new();

    public AttributeModel Attributes { get; } = new();

    /// <summary>Whether a sync of it has ever been acknowledged.</summary>
    public bool IsDurable { get; set; }

    public override string ToString() => $"{Kind} {Id} (inode {Inode})";
}
