namespace Penstock.Simulation.Crash.Recording;

/// <summary>What a loss of power makes of one write: the sectors whose bit is set are there. Sector n goes by bit n modulo 64.</summary>
internal readonly record struct Fate(ulong Sectors)
{
    public static Fate Lost => new(0);

    public static Fate Kept => new(ulong.MaxValue);

    public bool IsLost => Sectors == 0;

    public bool IsKept => Sectors == ulong.MaxValue;

    public bool Has(int sector) => (Sectors & (1UL << (sector & 63))) != 0;
}

/// <summary>How a crash state is made of the writes that no flush covers.</summary>
internal enum LossKind
{
    /// <summary>All of them are lost.</summary>
    Nothing,

    /// <summary>What has completed is there: the plain prefix of the log.</summary>
    Completed,

    /// <summary>Those in flight are there too.</summary>
    Everything,

    /// <summary>A shorter prefix.</summary>
    Prefix,

    /// <summary>All but one of them.</summary>
    AllButOne,

    /// <summary>One of them alone.</summary>
    OnlyOne,

    /// <summary>Any of them.</summary>
    Subset,

    /// <summary>All are there, one of them torn.</summary>
    OneTorn,

    /// <summary>Any of them, some torn.</summary>
    SubsetTorn,
}
