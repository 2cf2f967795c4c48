namespace Penstock.Ext4.Format;

/// <summary>The three feature words of a volume as one value.</summary>
internal readonly record struct FeatureSet(CompatFeatures Compat, IncompatFeatures Incompat, ReadOnlyCompatFeatures ReadOnlyCompat)
{
    public bool IsEmpty => Compat == 0 && Incompat == 0 && ReadOnlyCompat == 0;

    public bool Has(CompatFeatures feature) => (Compat & feature) != 0;

    public bool Has(IncompatFeatures feature) => (Incompat & feature) != 0;

    public bool Has(ReadOnlyCompatFeatures feature) => (ReadOnlyCompat & feature) != 0;

    public FeatureSet With(FeatureSet other) =>
        new(Compat | other.Compat, Incompat | other.Incompat, ReadOnlyCompat | other.ReadOnlyCompat);

    public FeatureSet Without(FeatureSet other) =>
        new(Compat & ~other.Compat, Incompat & ~other.Incompat, ReadOnlyCompat & ~other.ReadOnlyCompat);

    public static implicit operator FeatureSet(CompatFeatures feature) => new(feature, 0, 0);

    public static implicit operator FeatureSet(IncompatFeatures feature) => new(0, feature, 0);

    public static implicit operator FeatureSet(ReadOnlyCompatFeatures feature) => new(0, 0, feature);

    public override string ToString() => string.Join(' ', FeatureNames.Of(this));
}
