namespace Penstock.Fuse;

/// <summary>How a volume is mounted.</summary>
public sealed record MountOptions
{
    /// <summary>Whether nothing may be written through the mount. Always so when the volume is open read-only.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>
    /// Whether other users than the one who mounts may use it, as far as modes and ACLs let them. Null: yes for root, no for others, who
    /// need <c>user_allow_other</c> in <c>/etc/fuse.conf</c> to say yes.
    /// </summary>
    public bool? AllowsOtherUsers { get; init; }

    /// <summary>
    /// Whether setuid programs and device nodes on the volume have their effect. Only root may ask for it; off by default, since whoever made the
    /// volume decides what is on it.
    /// </summary>
    public bool TrustsVolume { get; init; }

    /// <summary>
    /// Whether the kernel collects buffered writes in its own page cache instead of passing each on at once. Small writes get faster; the kernel then
    /// owns size and times of the files it has dirty pages of, and tells an error of writing them back only to whoever had the file open then.
    /// Off by default. The table in docs/MOUNT.md says what changes.
    /// </summary>
    public bool UsesWritebackCache { get; init; }

    /// <summary>
    /// How long the kernel may answer from what it knows of names without asking. Long by default: all changes come through the mount, or
    /// through the same <see cref="Volume"/>, whose user then calls <see cref="Mount.InvalidateAsync"/>.
    /// </summary>
    public TimeSpan NameLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The same for attributes.</summary>
    public TimeSpan AttributeLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>What the mount table shows as the source. Null: the volume's own name.</summary>
    public string? Source { get; init; }

    /// <summary>
    /// Threads that read the kernel's requests and run each until it first waits; where the device lets them, they also carry its I/O. One for every two
    /// processors, since the programs need some too: on two processors one gave a fifth more direct reads than two.
    /// </summary>
    public int Readers { get; init; } = Math.Clamp(Environment.ProcessorCount / 2, 1, 4);

    /// <summary>Told of an exception that was not foreseen. The program that met it got an input/output error; the mount goes on.</summary>
    public Action<Exception>? OnDefect { get; init; }
}
