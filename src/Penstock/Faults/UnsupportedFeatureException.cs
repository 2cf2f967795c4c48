namespace Penstock;

/// <summary>The volume uses format features that this version cannot handle in the way asked for.</summary>
public sealed class UnsupportedFeatureException : FileSystemException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="features">The features, by the names that mke2fs uses.</param>
    /// <param name="message">What cannot be done because of them.</param>
    public UnsupportedFeatureException(IReadOnlyList<string> features, string message)
        : base(IoFault.NotSupported, $"{message}: {string.Join(", ", features)}") => Features = features;

    /// <summary>The features, by the names that mke2fs uses.</summary>
    public IReadOnlyList<string> Features { get; }
}
